# wire: unit tests of this layer
