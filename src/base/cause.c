/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/cause.h"
#include "base/error.h"

bool zc_cause_init(struct zc_cause *cause, GError **error)
{
    cause->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (cause->wake_fd < 0) {
        return zc_error_errno(error, ZCMIG_ERROR_FAILED, errno, "cannot create an eventfd");
    }
    g_mutex_init(&cause->lock);
    cause->first = NULL;
    atomic_init(&cause->set, false);
    atomic_init(&cause->cancelled, false);
    return true;
}

void zc_cause_clear(struct zc_cause *cause)
{
    close(cause->wake_fd);
    g_mutex_clear(&cause->lock);
    g_clear_error(&cause->first);
}

/* The counter is read by zc_cause_reset only, so the descriptor stays readable.  A full counter is
 * as good. */
static void wake(struct zc_cause *cause)
{
    const uint64_t one = 1;
    int saved_errno = errno;

    if (write(cause->wake_fd, &one, sizeof(one)) < 0) {
        errno = saved_errno;
    }
}

bool zc_cause_report(struct zc_cause *cause, GError *error)
{
    bool was_first;

    g_mutex_lock(&cause->lock);
    was_first = cause->first == NULL;
    if (was_first) {
        cause->first = error;
        atomic_store_explicit(&cause->set, true, memory_order_release);
    }
    g_mutex_unlock(&cause->lock);
    if (!was_first) {
        g_error_free(error);
    }
    wake(cause);
    return was_first;
}

void zc_cause_replace(struct zc_cause *cause, GError *error)
{
    g_mutex_lock(&cause->lock);
    g_assert(cause->first);
    g_error_free(cause->first);
    cause->first = error;
    g_mutex_unlock(&cause->lock);
}

void zc_cause_cancel(struct zc_cause *cause)
{
    atomic_store_explicit(&cause->cancelled, true, memory_order_release);
    wake(cause);
}

bool zc_cause_reset(struct zc_cause *cause)
{
    uint64_t count;
    int saved_errno = errno;

    if (read(cause->wake_fd, &count, sizeof(count)) < 0) {
        errno = saved_errno; /* nobody had reported anything */
    }
    /* A signal may cancel at any moment: before the reading above, and then it is seen here. */
    if (atomic_load_explicit(&cause->cancelled, memory_order_acquire)) {
        wake(cause);
        return false;
    }
    g_mutex_lock(&cause->lock);
    g_clear_error(&cause->first);
    atomic_store_explicit(&cause->set, false, memory_order_release);
    g_mutex_unlock(&cause->lock);
    return true;
}

bool zc_cause_is_set(struct zc_cause *cause)
{
    if (atomic_load_explicit(&cause->set, memory_order_acquire)) {
        return true;
    }
    if (atomic_load_explicit(&cause->cancelled, memory_order_acquire)) {
        zc_cause_report(cause, g_error_new(ZCMIG_ERROR, ZCMIG_ERROR_CANCELLED, "cancelled"));
        return true;
    }
    return false;
}

GError *zc_cause_copy(struct zc_cause *cause)
{
    GError *copy = NULL;

    zc_cause_is_set(cause);
    g_mutex_lock(&cause->lock);
    if (cause->first) {
        copy = g_error_copy(cause->first);
    }
    g_mutex_unlock(&cause->lock);
    return copy;
}
