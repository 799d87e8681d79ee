if HAVE_CHECK
check_PROGRAMS += tests/unit/mem-block tests/unit/mem-digest tests/unit/mem-manifest
TESTS += tests/unit/mem-block tests/unit/mem-digest tests/unit/mem-manifest
ZC_TEST_MEM_LIBS = tests/lib/libunit.la src/mem/libmem.la src/base/libbase.la
tests_unit_mem_block_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_unit_mem_block_LDADD = $(ZC_TEST_MEM_LIBS)
tests_unit_mem_digest_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_unit_mem_digest_LDADD = $(ZC_TEST_MEM_LIBS)
tests_unit_mem_manifest_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_unit_mem_manifest_LDADD = $(ZC_TEST_MEM_LIBS)

check_PROGRAMS += tests/unit/mem-bitmap
TESTS += tests/unit/mem-bitmap
tests_unit_mem_bitmap_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_unit_mem_bitmap_LDADD = $(ZC_TEST_MEM_LIBS)

check_PROGRAMS += tests/unit/mem-huge
TESTS += tests/unit/mem-huge
tests_unit_mem_huge_CPPFLAGS = $(ZC_TEST_CPPFLAGS)
tests_unit_mem_huge_LDADD = $(ZC_TEST_MEM_LIBS)
endif
