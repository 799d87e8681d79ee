/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * make-image PATH MIB mixed|zeros|hole
 *
 * The input of the measurements.  "mixed": a quarter zero pages, in runs of 16,
 * the rest incompressible and no page like another, all of it written, so that
 * no tool gains by a hole.  "zeros": nothing but written zeros.  "hole": one.
 */
#include "config.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGE_BYTES 4096u
#define RUN_PAGES 16u
#define CHUNK_BYTES (RUN_PAGES * PAGE_BYTES)

/* splitmix64: a counter through a mixer, so each word depends on its place alone. */
static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static void fill_run(uint64_t *words, uint64_t run)
{
    const size_t n_words = CHUNK_BYTES / sizeof(*words);

    if (mix(run) % 4 == 0) {
        memset(words, 0, CHUNK_BYTES);
        return;
    }
    for (size_t i = 0; i < n_words; i++) {
        words[i] = mix((run << 32) + i);
    }
}

int main(int argc, char **argv)
{
    static uint64_t words[CHUNK_BYTES / sizeof(uint64_t)];

    if (argc != 4) {
        fprintf(stderr, "usage: make-image PATH MIB mixed|zeros|hole\n");
        return 2;
    }
    uint64_t bytes = strtoull(argv[2], NULL, 10) << 20;
    int fd = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, (off_t)bytes) < 0) {
        perror(argv[1]);
        return 1;
    }
    for (uint64_t run = 0; strcmp(argv[3], "hole") != 0 && run < bytes / CHUNK_BYTES; run++) {
        if (strcmp(argv[3], "mixed") == 0) {
            fill_run(words, run);
        }
        if (write(fd, words, CHUNK_BYTES) != CHUNK_BYTES) {
            perror(argv[1]);
            return 1;
        }
    }
    return close(fd) == 0 ? 0 : 1;
}
