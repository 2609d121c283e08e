# Install necessary packages if not already installed
# install.packages("reticulate")

# Load the reticulate package
library(reticulate)

# Use reticulate to initialize TensorFlow
tf <- import("tensorflow")

# Check TensorFlow version (example usage)
print(tf$__version__)

# Further model building and operations would proceed using TensorFlow functions via reticulate
# For example:
# model <- tf$keras$Sequential(...) #Building a keras model
