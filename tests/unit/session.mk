# session: unit tests of this layer
