/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * replay-TARGET [FILE...]: runs a fuzz target over files, by default over all
 * of its corpus.  Each input ends where its mapping ends, so that a read
 * beyond is a crash in any build; the file it was in is the last line printed.
 */
#include "config.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <glib.h>

#include "fuzz/fuzz.h"

static void run(const char *path)
{
    g_autofree char *bytes = NULL;
    g_autoptr(GError) error = NULL;
    gsize length;

    printf("%s\n", path);
    fflush(stdout);
    if (!g_file_get_contents(path, &bytes, &length, &error)) {
        fprintf(stderr, "%s\n", error->message);
        exit(EXIT_FAILURE);
    }
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t readable = (length + page - 1) / page * page;
    uint8_t *map = mmap(NULL, readable + page, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ZC_MUST(map != MAP_FAILED);
    ZC_MUST(mprotect(map + readable, page, PROT_NONE) == 0);
    uint8_t *input = map + readable - length;
    memcpy(input, bytes, length);
    LLVMFuzzerTestOneInput(input, length);
    munmap(map, readable + page);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static unsigned int run_directory(const char *path)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GDir) directory = g_dir_open(path, 0, &error);
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    const char *name;

    if (!directory) {
        fprintf(stderr, "%s\n", error->message);
        exit(EXIT_FAILURE);
    }
    while ((name = g_dir_read_name(directory))) {
        g_ptr_array_add(names, g_build_filename(path, name, NULL));
    }
    g_ptr_array_sort(names, compare_names);
    for (guint i = 0; i < names->len; i++) {
        run(g_ptr_array_index(names, i));
    }
    return names->len;
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        for (int i = 1; i < argc; i++) {
            run(argv[i]);
        }
        return EXIT_SUCCESS;
    }
    const char *source = g_getenv("ZC_SRCDIR");
    g_autofree char *path = g_build_filename(source ? source : ZC_FUZZ_SRCDIR, "tests", "fuzz",
                                             "corpus", ZC_FUZZ_TARGET, NULL);
    unsigned int n_inputs = run_directory(path);
    printf("%u inputs of %s\n", n_inputs, ZC_FUZZ_TARGET);
    return n_inputs ? EXIT_SUCCESS : EXIT_FAILURE;
}
