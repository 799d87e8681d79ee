/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What src/guest/track.h believes of the kernel, each belief a line:
 *
 *  - a system call that writes guest memory is seen in async mode, even when the userfaultfd was
 *    opened for faults of user mode only
 *  - a page that was discarded and written again is seen
 *  - a write through another mapping of the same memfd is NOT seen: if that ever changes, the
 *    header may promise more
 *  - tracking in async mode needs no privilege
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest/track.h"
#include "lib/rights.h"

#define PAGES 64u
#define RAM_BYTES (PAGES * ZC_PAGE_BYTES)

static struct zc_tracker *tracker;
static struct zc_ram ram;
static struct zc_bitmap dirty;
static unsigned int failures;

static void believe(bool held, const char *what)
{
    printf("%s: %s\n", held ? "held" : "NOT HELD", what);
    failures += !held;
}

static uint8_t *track(uint8_t *memory)
{
    g_autoptr(GError) error = NULL;

    memset(memory, 1, RAM_BYTES);
    zc_ram_init(&ram);
    zc_ram_add(&ram, "ram", memory, RAM_BYTES, NULL);
    zc_bitmap_init(&dirty, PAGES);
    if (!zc_tracker_start(tracker, &ram, &error)) {
        printf("cannot start: %s\n", error->message);
        exit(EXIT_FAILURE);
    }
    return memory;
}

static void untrack(void)
{
    zc_tracker_stop(tracker);
    zc_bitmap_clear(&dirty);
    zc_ram_clear(&ram);
}

static bool told(uint64_t page)
{
    struct zc_range all = { .n_pages = PAGES };

    zc_bitmap_clear_range(&dirty, 0, PAGES);
    return zc_tracker_harvest(tracker, &all, &dirty) == 1 && zc_bitmap_test(&dirty, page);
}

static uint8_t *map_private(void)
{
    return mmap(NULL, RAM_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void system_calls_are_seen(void)
{
    uint8_t *memory = track(map_private());
    int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);

    believe(read(fd, memory + 7 * ZC_PAGE_BYTES, 100) == 100 && told(7),
            "a system call's write is seen");
    close(fd);
    untrack();
    munmap(memory, RAM_BYTES);
}

static void discarded_pages_are_seen_when_written(void)
{
    uint8_t *memory = track(map_private());

    madvise(memory + 9 * ZC_PAGE_BYTES, ZC_PAGE_BYTES, MADV_DONTNEED);
    memory[9 * ZC_PAGE_BYTES] = 2;
    believe(told(9), "a page discarded and written again is seen");
    untrack();
    munmap(memory, RAM_BYTES);
}

static void other_mappings_are_not_seen(void)
{
    int fd = memfd_create("two-mappings", MFD_CLOEXEC);

    if (ftruncate(fd, RAM_BYTES) < 0) {
        exit(EXIT_FAILURE);
    }
    uint8_t *memory = track(mmap(NULL, RAM_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    uint8_t *other = mmap(NULL, RAM_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    other[3 * ZC_PAGE_BYTES] = 2;
    believe(memory[3 * ZC_PAGE_BYTES] == 2 && !told(3),
            "a write through another mapping of a memfd is not seen");
    untrack();
    munmap(memory, RAM_BYTES);
    munmap(other, RAM_BYTES);
    close(fd);
}

static void no_privilege_is_needed(void)
{
    pid_t child = fork();
    int status = 0;

    if (child == 0) {
        /* Changing the user makes a process undumpable, and /proc/self root's: not tracking's
         * affair, so it is set back. */
        bool had_rights = geteuid() == 0;
        if (!zc_drop_rights() || prctl(PR_SET_DUMPABLE, 1) < 0) {
            _exit(had_rights ? 1 : 77);
        }
        zc_tracker_free(tracker);
        tracker = zc_tracker_new(ZC_TRACKER_SCAN, NULL, NULL);
        if (!tracker) {
            _exit(1);
        }
        system_calls_are_seen();
        _exit(failures ? 1 : 0);
    }
    waitpid(child, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        printf("not tested: privileges cannot be dropped, there are none\n");
    } else {
        believe(WIFEXITED(status) && WEXITSTATUS(status) == 0, "tracking needs no privilege");
    }
}

int main(void)
{
    g_autoptr(GError) error = NULL;

    setvbuf(stdout, NULL, _IOLBF, 0);
    tracker = zc_tracker_new(ZC_TRACKER_SCAN, NULL, &error);
    if (!tracker) {
        printf("skipped: %s\n", error->message);
        return 77;
    }
    no_privilege_is_needed();
    system_calls_are_seen();
    discarded_pages_are_seen_when_written();
    other_mappings_are_not_seen();
    zc_tracker_free(tracker);
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
