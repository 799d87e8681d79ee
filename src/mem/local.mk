noinst_LTLIBRARIES += src/mem/libmem.la
src_mem_libmem_la_SOURCES = \
	src/mem/block.c src/mem/block.h \
	src/mem/digest.c src/mem/digest.h \
	src/mem/huge.c src/mem/huge.h \
	src/mem/manifest.c src/mem/manifest.h
src_mem_libmem_la_CPPFLAGS = $(AM_CPPFLAGS) $(XXHASH_CFLAGS)
src_mem_libmem_la_LIBADD = $(XXHASH_LIBS) $(GLIB_LIBS)
src_mem_libmem_la_SOURCES += src/mem/bitmap.c src/mem/bitmap.h
