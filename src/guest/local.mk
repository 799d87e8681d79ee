# guest: the sources of this layer come with it
