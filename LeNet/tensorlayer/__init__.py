"""What the LeNet scripts need of TensorLayer, on Keras 3, under TensorLayer's names.

`files` is free of TensorFlow, the others are not: import the submodule that you need.
"""
