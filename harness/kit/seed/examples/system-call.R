# This approach is highly discouraged due to its limitations and security risks.
# Avoid using this unless absolutely necessary and with extreme caution.
system("python /path/to/your/python_script.py")

# Further processing of results from python_script.py might involve reading files written by that script
# or using other inter-process communication methods.
