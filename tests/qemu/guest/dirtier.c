/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dirtier MIB RATE: writes to MIB of memory without end, RATE MiB a second,
 * and notices every page that came back as it was earlier, as guest.c does
 * without a system.  Ten times a second it says
 *
 *     TICK n sweep s                   or, instead,
 *     LOST page p: got a and b, allowed c and d
 *
 * A page begins with the number of the sweep that wrote it last, and ends
 * with that number times the page's own; between is what the page was filled
 * with, which is checked word by word.
 */
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define PAGE_WORDS 512u
#define PAGES_PER_MIB 256u
#define TICK_MS 100

static uint64_t word(uint64_t page, uint64_t i)
{
    uint64_t x = page * PAGE_WORDS + i + 1;

    x ^= x >> 33;
    x *= UINT64_C(0xff51afd7ed558ccd);
    return x ^ x >> 33;
}

static int64_t now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void fill(uint64_t *words, uint64_t page)
{
    words[0] = 0;
    for (uint64_t i = 1; i < PAGE_WORDS - 1; i++) {
        words[i] = word(page, i);
    }
    words[PAGE_WORDS - 1] = 0;
}

static int is_whole(const uint64_t *words, uint64_t page, uint64_t sweep)
{
    for (uint64_t i = 1; i < PAGE_WORDS - 1; i++) {
        if (words[i] != word(page, i)) {
            return 0;
        }
    }
    return words[0] == sweep && words[PAGE_WORDS - 1] == sweep * (2 * page + 1);
}

int main(int argc, char **argv)
{
    uint64_t n_pages = argc > 1 ? strtoull(argv[1], NULL, 10) * PAGES_PER_MIB : 0;
    int64_t rate = argc > 2 ? strtoll(argv[2], NULL, 10) : 0;
    uint64_t page = 0, sweep = 0, ticks = 0;
    uint64_t *memory = n_pages ? aligned_alloc(4096, n_pages * PAGE_WORDS * sizeof(*memory)) : NULL;

    if (!memory || rate <= 0) {
        fprintf(stderr, "usage: dirtier MIB RATE\n");
        return 2;
    }
    for (uint64_t i = 0; i < n_pages; i++) {
        fill(memory + i * PAGE_WORDS, i);
    }
    for (int64_t then = now_ms();; then += TICK_MS) {
        for (int64_t n = rate * PAGES_PER_MIB * TICK_MS / 1000; n > 0; n--) {
            uint64_t *words = memory + page * PAGE_WORDS;
            if (!is_whole(words, page, sweep)) {
                printf("LOST page %llu: got %llu and %llu, allowed %llu and %llu\n",
                       (unsigned long long)page, (unsigned long long)words[0],
                       (unsigned long long)words[PAGE_WORDS - 1], (unsigned long long)sweep,
                       (unsigned long long)(sweep * (2 * page + 1)));
            }
            words[0] = sweep + 1;
            words[PAGE_WORDS - 1] = (sweep + 1) * (2 * page + 1);
            if (++page == n_pages) {
                page = 0;
                sweep++;
            }
        }
        printf("TICK %llu sweep %llu\n", (unsigned long long)++ticks, (unsigned long long)sweep);
        fflush(stdout);
        int64_t rest = then + TICK_MS - now_ms();
        if (rest > 0) {
            poll(NULL, 0, (int)rest);
        } else {
            then -= rest; /* too slow for this: no catching up */
        }
    }
}
