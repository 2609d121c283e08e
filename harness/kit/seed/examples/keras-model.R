library(reticulate)

# Ensure TensorFlow/Keras are available in the Python environment
use_python("/path/to/your/python", required = TRUE) #Specify your python version

# Import Keras
keras <- import("keras")

# Define a simple sequential model
model <- keras$Sequential(list(
  keras$layers$Dense(units = 128, activation = "relu", input_shape = c(784)),
  keras$layers$Dense(units = 10, activation = "softmax")
))

# Compile the model
model$compile(optimizer = "adam", loss = "categorical_crossentropy", metrics = c("accuracy"))

# Assuming 'x_train' and 'y_train' are your data (pre-loaded or loaded from a file). This is a simplification, data loading is often a complex step.
model$fit(x_train, y_train, epochs = 10)

# Access model summary (example)
summary(model)
