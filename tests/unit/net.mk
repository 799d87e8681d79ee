# net: unit tests of this layer
