/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: a thread reads write faults from the userfaultfd, marks the page and
 * takes its protection off, which lets the writer go on.  A harvest takes the
 * marks of a run and protects the run again.
 *
 * Both pairs of steps are under one lock.  Without it a harvest could take the
 * mark and protect the page just before the thread takes the protection off:
 * the write that follows would never be told.  The lock is held for a batch of
 * faults or a batch of runs; the ioctls inside only touch page tables.
 *
 * If the thread cannot go on, it takes the whole protection off, so that no
 * writer hangs, and every harvest from then on fails: nothing is lost silently.
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/error.h"
#include "guest/track-uffd.h"
#include "guest/track.h"

#define FAULTS_AT_ONCE 64u
#define RUNS_AT_ONCE 32u

static const struct zc_tracker_ops fault_ops;

struct track_fault {
    struct zc_tracker base;
    /* set before start */
    struct zc_uffd uffd;
    int wake_fd;
    GThread *thread;
    uint32_t n_blocks;
    /* under lock */
    GMutex lock;
    struct zc_bitmap *marks; /* per block */
    int failure;             /* 0 or -errno: the thread gave up */
};

static void free_marks(struct track_fault *fault)
{
    for (uint32_t i = 0; i < fault->n_blocks; i++) {
        zc_bitmap_clear(&fault->marks[i]);
    }
    g_clear_pointer(&fault->marks, g_free);
    fault->n_blocks = 0;
}

static void fault_free(struct zc_tracker *tracker)
{
    struct track_fault *fault = (struct track_fault *)tracker;

    zc_uffd_close(&fault->uffd);
    if (fault->wake_fd >= 0) {
        close(fault->wake_fd);
    }
    g_mutex_clear(&fault->lock);
    g_free(fault);
}

struct zc_tracker *zc_track_fault_new(uint64_t features, GError **error)
{
    struct track_fault *fault = g_new0(struct track_fault, 1);

    fault->base.ops = &fault_ops;
    g_mutex_init(&fault->lock);
    fault->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    fault->uffd.fd = -1;
    if (fault->wake_fd < 0) {
        zc_error_errno(error, ZCMIG_ERROR_LIMIT, errno, "tracker fault: eventfd");
    } else if (zc_uffd_open(&fault->uffd, UFFD_FEATURE_PAGEFAULT_FLAG_WP,
                            features &
                                (UFFD_FEATURE_WP_HUGETLBFS_SHMEM | UFFD_FEATURE_WP_UNPOPULATED),
                            "tracker fault", error)) {
        return &fault->base;
    }
    fault_free(&fault->base);
    return NULL;
}

/* ------------------------------------------------------------ the fault thread */

/* Marks the granule of the page at @address and lets its writers go on.  Under lock. */
static int resolve(struct track_fault *fault, uint64_t address)
{
    const struct zc_ram *ram = fault->base.ram;

    for (uint32_t i = 0; i < ram->n_blocks; i++) {
        uint64_t offset = address - (uintptr_t)ram->blocks[i].host;
        if (address < (uintptr_t)ram->blocks[i].host || offset >= ram->blocks[i].used_bytes) {
            continue;
        }
        struct zc_range page = { .block = i, .first_page = offset / ZC_PAGE_BYTES, .n_pages = 1 };
        struct zc_range granule = zc_uffd_widen(&fault->uffd, ram, &page);
        zc_bitmap_set_range(&fault->marks[i], granule.first_page, granule.n_pages);
        return zc_uffd_protect(&fault->uffd,
                               ram->blocks[i].host + granule.first_page * ZC_PAGE_BYTES,
                               (uint64_t)granule.n_pages * ZC_PAGE_BYTES, false);
    }
    return -EFAULT;
}

static int resolve_batch(struct track_fault *fault, const struct uffd_msg *messages, size_t n)
{
    int ret = 0;

    g_mutex_lock(&fault->lock);
    for (size_t i = 0; i < n && ret == 0; i++) {
        if (messages[i].event == UFFD_EVENT_PAGEFAULT) {
            ret = resolve(fault, messages[i].arg.pagefault.address);
            atomic_fetch_add_explicit(&fault->base.faults, 1, memory_order_relaxed);
        }
    }
    g_mutex_unlock(&fault->lock);
    return ret;
}

/* Reads what is there: 0, or -errno when the thread cannot go on. */
static int serve(struct track_fault *fault)
{
    struct uffd_msg messages[FAULTS_AT_ONCE];
    ssize_t got = read(fault->uffd.fd, messages, sizeof(messages));

    if (got < 0) {
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    }
    return resolve_batch(fault, messages, (size_t)got / sizeof(messages[0]));
}

static gpointer fault_thread(gpointer data)
{
    struct track_fault *fault = data;
    struct pollfd fds[] = {
        { .fd = fault->uffd.fd, .events = POLLIN },
        { .fd = fault->wake_fd, .events = POLLIN },
    };
    int ret = 0;

    while (ret == 0) {
        if (poll(fds, G_N_ELEMENTS(fds), -1) < 0 && errno != EINTR) {
            ret = -errno;
        } else if (fds[1].revents) {
            return NULL;
        } else if (fds[0].revents & POLLIN) {
            ret = serve(fault);
        } else if (fds[0].revents) {
            ret = -EIO;
        }
    }
    g_mutex_lock(&fault->lock);
    fault->failure = ret;
    zc_uffd_stop(&fault->uffd, fault->base.ram);
    g_mutex_unlock(&fault->lock);
    return NULL;
}

/* ------------------------------------------------------------------- the ops */

static bool fault_start(struct zc_tracker *tracker, GError **error)
{
    struct track_fault *fault = (struct track_fault *)tracker;
    const struct zc_ram *ram = tracker->ram;
    uint64_t count;

    (void)!read(fault->wake_fd, &count, sizeof(count)); /* of the stop before this start */
    fault->failure = 0;
    fault->n_blocks = ram->n_blocks;
    fault->marks = g_new0(struct zc_bitmap, ram->n_blocks);
    for (uint32_t i = 0; i < ram->n_blocks; i++) {
        zc_bitmap_init(&fault->marks[i], zc_block_pages(&ram->blocks[i]));
    }
    /* The thread is there before the first page is protected, for the guest may be writing.  The
     * lock makes what registering found out known to it. */
    g_mutex_lock(&fault->lock);
    bool registered = zc_uffd_register(&fault->uffd, ram, error);
    g_mutex_unlock(&fault->lock);
    if (!registered) {
        return false;
    }
    fault->thread = g_thread_try_new("zc-fault", fault_thread, fault, error);
    return fault->thread && zc_uffd_protect_all(&fault->uffd, ram, error);
}

static void fault_stop(struct zc_tracker *tracker)
{
    struct track_fault *fault = (struct track_fault *)tracker;
    uint64_t one = 1;

    /* Writers are let go before the thread that serves them ends. */
    g_mutex_lock(&fault->lock);
    zc_uffd_stop(&fault->uffd, tracker->ram);
    g_mutex_unlock(&fault->lock);
    (void)!write(fault->wake_fd, &one, sizeof(one));
    if (fault->thread) {
        g_thread_join(fault->thread);
        fault->thread = NULL;
    }
    free_marks(fault);
}

static void fault_forget(struct zc_tracker *tracker)
{
    struct track_fault *fault = (struct track_fault *)tracker;

    g_mutex_lock(&fault->lock);
    zc_uffd_forget(&fault->uffd);
    g_mutex_unlock(&fault->lock);
}

/* Takes and protects up to RUNS_AT_ONCE runs from *@at on, which moves.  Under lock. */
static int64_t take_runs(struct track_fault *fault, uint32_t block, uint64_t *at, uint64_t end,
                         struct zc_bitmap *dirty)
{
    struct zc_bitmap *marks = &fault->marks[block];
    uint8_t *host = fault->base.ram->blocks[block].host;
    int64_t n_pages = 0;

    for (unsigned int i = 0; i < RUNS_AT_ONCE && *at < end; i++) {
        uint64_t first = end;
        uint64_t n = zc_bitmap_next_run(marks, *at, &first);
        if (n == 0 || first >= end) {
            *at = end;
            break;
        }
        n = MIN(n, end - first);
        int ret =
            zc_uffd_protect(&fault->uffd, host + first * ZC_PAGE_BYTES, n * ZC_PAGE_BYTES, true);
        if (ret < 0) {
            return ret;
        }
        zc_bitmap_clear_range(marks, first, n);
        zc_bitmap_set_range(dirty, first, n);
        n_pages += (int64_t)n;
        *at = first + n;
    }
    return n_pages;
}

static int64_t fault_harvest(struct zc_tracker *tracker, const struct zc_range *asked,
                             struct zc_bitmap *dirty)
{
    struct track_fault *fault = (struct track_fault *)tracker;
    struct zc_range range = zc_uffd_widen(&fault->uffd, tracker->ram, asked);
    uint64_t at = range.first_page;
    uint64_t end = at + range.n_pages;
    int64_t total = 0;

    while (at < end) {
        g_mutex_lock(&fault->lock);
        int64_t ret =
            fault->failure ? fault->failure : take_runs(fault, range.block, &at, end, dirty);
        g_mutex_unlock(&fault->lock);
        if (ret < 0) {
            return ret;
        }
        total += ret;
    }
    return total;
}

/* The marks stay, and their pages have no protection: both are as a harvest finds them. */
static int fault_peek(struct zc_tracker *tracker, const struct zc_range *asked,
                      struct zc_bitmap *dirty)
{
    struct track_fault *fault = (struct track_fault *)tracker;
    struct zc_range range = zc_uffd_widen(&fault->uffd, tracker->ram, asked);

    g_mutex_lock(&fault->lock);
    int ret = fault->failure;
    if (ret == 0 && dirty) {
        zc_bitmap_copy_range_atomic(&fault->marks[range.block], range.first_page, range.n_pages,
                                    dirty);
    }
    g_mutex_unlock(&fault->lock);
    return ret;
}

static const struct zc_tracker_ops fault_ops = {
    .name = "fault",
    .start = fault_start,
    .harvest = fault_harvest,
    .peek = fault_peek,
    .stop = fault_stop,
    .forget = fault_forget,
    .free = fault_free,
};
