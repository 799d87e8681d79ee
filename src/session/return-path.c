/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "net/io.h"
#include "session/return-path.h"
#include "wire/stream.h"

#define BUFFER_BYTES (2 * (4 + ZC_RETURN_DATA_BYTES_MAX))

struct zc_return_path {
    /* set before start */
    int fd;
    int stop_fd;
    struct zc_cause *cause;
    GThread *thread;
    /* under lock; each wait looks at one of them */
    GMutex lock;
    GCond changed;
    bool has_pong;
    bool is_zcmig;
    bool has_shut;
    int64_t shut_ns; /* when SHUT 0 came */
    uint32_t expected_pong;
    bool has_expected_pong;
    int64_t pong_ns;
    bool has[ZC_EXTENSION_HEARD + 1]; /* of each type the last one that came, and when */
    int64_t got_ns[ZC_EXTENSION_HEARD + 1];
    struct zc_extension got[ZC_EXTENSION_HEARD + 1];
    GError *peer_error; /* what the destination said of itself */
    bool closed;
    /* written at the thread's end, read after the join */
    int64_t cpu_ns;
};

/* A failure of the peer in our words; its own message stays in it. */
static GError *error_of_peer(const struct zc_extension *message)
{
    if (message->fail.code == ZCMIG_ERROR_CANCELLED) {
        return g_error_new(ZCMIG_ERROR, ZCMIG_ERROR_CANCELLED, "cancelled by the destination");
    }
    return g_error_new(ZCMIG_ERROR, ZCMIG_ERROR_PEER, "the destination failed: %s",
                       message->fail.text);
}

static bool on_extension(struct zc_return_path *path, const struct zc_return_message *message,
                         GError **error)
{
    struct zc_extension extension;

    if (!zc_extension_decode(message->data, message->length, &extension, error)) {
        return false;
    }
    switch (extension.type) {
    case ZC_EXTENSION_FAIL:
        if (!path->peer_error) {
            path->peer_error = error_of_peer(&extension);
        }
        return true;
    case ZC_EXTENSION_RESULT:
    case ZC_EXTENSION_READY:
    case ZC_EXTENSION_OBSERVED:
    case ZC_EXTENSION_MAPPED:
    case ZC_EXTENSION_KEEP:
    case ZC_EXTENSION_RESUMED:
        path->got[extension.type] = extension;
        path->got_ns[extension.type] = zc_clock_now_ns();
        path->has[extension.type] = true;
        return true;
    default:
        return zc_error(error, ZCMIG_ERROR_PROTOCOL,
                        "return path: got extension message %d, allowed are those that go "
                        "backward",
                        (int)extension.type);
    }
}

static bool on_message(struct zc_return_path *path, const struct zc_return_message *message,
                       GError **error)
{
    switch (message->type) {
    case ZC_RETURN_PONG:
        if ((message->value & ZC_HELLO_MASK) == ZC_HELLO_PONG) {
            path->is_zcmig = true;
        } else if (message->value == 1) {
            path->has_pong = true;
        } else if (message->value == path->expected_pong) {
            path->has_expected_pong = true;
            path->pong_ns = zc_clock_now_ns();
        }
        return true;
    case ZC_RETURN_SHUT:
        if (message->value == 0) {
            path->has_shut = true;
            path->shut_ns = zc_clock_now_ns();
        } else if (!path->peer_error) {
            path->peer_error = g_error_new(ZCMIG_ERROR, ZCMIG_ERROR_PEER,
                                           "the destination failed with code %u", message->value);
        }
        return true;
    case ZC_RETURN_EXTENSION:
        if (path->is_zcmig) {
            return on_extension(path, message, error);
        }
        break;
    case ZC_RETURN_SWITCHOVER_ACK:
        return true; /* we did not wait for it */
    default:
        break;
    }
    return zc_error(error, ZCMIG_ERROR_PROTOCOL,
                    "return path: got a message of type %u, which nobody asked for", message->type);
}

/* Decodes what is whole in @buffer and moves the rest to its front. */
static bool on_bytes(struct zc_return_path *path, uint8_t *buffer, size_t *length, GError **error)
{
    struct zc_return_message message;
    enum zc_stream_result got;
    size_t done = 0, used;

    g_mutex_lock(&path->lock);
    do {
        got = zc_return_decode(buffer + done, *length - done, &used, &message, error);
        if (got == ZC_STREAM_GOT) {
            got = on_message(path, &message, error) ? ZC_STREAM_GOT : ZC_STREAM_ERROR;
            done += used;
        }
    } while (got == ZC_STREAM_GOT);
    g_cond_broadcast(&path->changed);
    g_mutex_unlock(&path->lock);
    *length -= done;
    memmove(buffer, buffer + done, *length);
    return got != ZC_STREAM_ERROR;
}

/* The destination closed, or the connection broke: an error unless it had said all. */
static void on_end(struct zc_return_path *path, ssize_t ret, GError *error)
{
    g_mutex_lock(&path->lock);
    path->closed = true;
    if (path->peer_error) {
        g_clear_error(&error);
        zc_cause_report(path->cause, g_error_copy(path->peer_error));
    } else if (error) {
        zc_cause_report(path->cause, error);
    } else if (ret != -ECANCELED && !path->has_shut && !path->has[ZC_EXTENSION_RESULT]) {
        if (ret < 0) {
            zc_error_errno(&error, ZCMIG_ERROR_DISCONNECTED, (int)ret, "the main connection broke");
        } else {
            zc_error(&error, ZCMIG_ERROR_DISCONNECTED,
                     "the destination closed the main connection before it had the RAM");
        }
        zc_cause_report(path->cause, error);
    }
    g_cond_broadcast(&path->changed);
    g_mutex_unlock(&path->lock);
}

static gpointer path_run(gpointer data)
{
    struct zc_return_path *path = data;
    uint8_t buffer[BUFFER_BYTES];
    size_t length = 0;
    GError *error = NULL;
    ssize_t n;

    do {
        n = zc_io_read_some(path->fd, buffer + length, sizeof(buffer) - length, ZC_DEADLINE_NEVER,
                            path->stop_fd);
        if (n > 0) {
            length += (size_t)n;
            if (!on_bytes(path, buffer, &length, &error)) {
                break;
            }
            if (path->peer_error) {
                break;
            }
        }
    } while (n > 0);
    on_end(path, n, error);
    path->cpu_ns = zc_clock_thread_cpu_ns();
    return NULL;
}

struct zc_return_path *zc_return_path_start(int fd, struct zc_cause *cause, GError **error)
{
    struct zc_return_path *path = g_new0(struct zc_return_path, 1);

    path->fd = fd;
    path->cause = cause;
    g_mutex_init(&path->lock);
    g_cond_init(&path->changed);
    path->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (path->stop_fd < 0) {
        zc_error_errno(error, ZCMIG_ERROR_FAILED, errno, "cannot create an eventfd");
    } else {
        path->thread = g_thread_try_new("zcmig-return", path_run, path, error);
    }
    if (!path->thread) {
        zc_return_path_stop(path);
        return NULL;
    }
    return path;
}

/* Waits until *@what is set.  False when the session or the connection ended first. */
static bool look_for(struct zc_return_path *path, const bool *what, zc_deadline deadline,
                     bool *closed_out)
{
    bool timely = true;

    g_mutex_lock(&path->lock);
    while (!*what && timely && !path->closed && !zc_cause_is_set(path->cause)) {
        /* The cause has no condition of its own; a tenth of a second late is soon enough. */
        zc_deadline soon = MIN(deadline, zc_deadline_in(100));
        if (!g_cond_wait_until(&path->changed, &path->lock, soon / 1000)) {
            timely = zc_clock_now_ns() < deadline;
        }
    }
    bool got = *what;
    *closed_out = path->closed;
    g_mutex_unlock(&path->lock);
    return got;
}

/* The same; that it did not come is a failure. */
static bool wait_for(struct zc_return_path *path, const bool *what, zc_deadline deadline,
                     const char *name)
{
    bool closed;
    bool got = look_for(path, what, deadline, &closed);

    if (!got && !zc_cause_is_set(path->cause)) {
        GError *error = NULL;
        if (closed) {
            zc_error(&error, ZCMIG_ERROR_DISCONNECTED,
                     "the destination closed the main connection before %s", name);
        } else {
            zc_error(&error, ZCMIG_ERROR_TIMEOUT, "waited too long for %s", name);
        }
        zc_cause_report(path->cause, error);
    }
    return got;
}

bool zc_return_path_wait_hello(struct zc_return_path *path, zc_deadline deadline,
                               bool *is_zcmig_out)
{
    if (!wait_for(path, &path->has_pong, deadline, "the destination's answer to PING")) {
        return false;
    }
    *is_zcmig_out = path->is_zcmig;
    return true;
}

int64_t zc_return_path_wait_shut(struct zc_return_path *path, zc_deadline deadline)
{
    return wait_for(path, &path->has_shut, deadline, "the destination's word that it has the RAM")
               ? path->shut_ns
               : 0;
}

void zc_return_path_expect_pong(struct zc_return_path *path, uint32_t value)
{
    g_mutex_lock(&path->lock);
    path->expected_pong = value;
    path->has_expected_pong = false;
    g_mutex_unlock(&path->lock);
}

int64_t zc_return_path_wait_pong(struct zc_return_path *path, zc_deadline deadline)
{
    return wait_for(path, &path->has_expected_pong, deadline, "the destination's answer to PING")
               ? path->pong_ns
               : 0;
}

/* What is waited for, for messages. */
static const char *name_of(enum zc_extension_type type)
{
    switch (type) {
    case ZC_EXTENSION_RESULT:
        return "the destination's verdict";
    case ZC_EXTENSION_READY:
        return "the destination to be ready for the guest";
    case ZC_EXTENSION_MAPPED:
        return "the destination to map the memory";
    case ZC_EXTENSION_KEEP:
        return "the destination's word on keeping the session";
    case ZC_EXTENSION_RESUMED:
        return "the destination to go on with the session";
    default:
        return "the destination";
    }
}

int64_t zc_return_path_wait_extension(struct zc_return_path *path, enum zc_extension_type type,
                                      zc_deadline deadline, struct zc_extension *message_out)
{
    if (!wait_for(path, &path->has[type], deadline, name_of(type))) {
        return 0;
    }
    *message_out = path->got[type];
    return path->got_ns[type];
}

enum zc_handed zc_return_path_wait_handed(struct zc_return_path *path, zc_deadline deadline,
                                          int64_t *shut_ns_out)
{
    enum zc_handed handed = ZC_HANDED_UNKNOWN;

    g_mutex_lock(&path->lock);
    while (!path->has_shut && !path->peer_error && !path->closed &&
           g_cond_wait_until(&path->changed, &path->lock, deadline / 1000)) {
    }
    if (path->has_shut) {
        handed = ZC_HANDED_OVER;
        *shut_ns_out = path->shut_ns;
    } else if (path->peer_error) {
        handed = ZC_HANDED_REFUSED;
    }
    g_mutex_unlock(&path->lock);
    return handed;
}

bool zc_return_path_wait_observed(struct zc_return_path *path, zc_deadline deadline,
                                  struct zc_extension *observed_out)
{
    bool closed;

    if (!look_for(path, &path->has[ZC_EXTENSION_OBSERVED], deadline, &closed)) {
        return false;
    }
    *observed_out = path->got[ZC_EXTENSION_OBSERVED];
    return true;
}

GError *zc_return_path_linger(struct zc_return_path *path, zc_deadline deadline)
{
    GError *copy;

    g_mutex_lock(&path->lock);
    while (!path->closed && g_cond_wait_until(&path->changed, &path->lock, deadline / 1000)) {
    }
    copy = path->peer_error ? g_error_copy(path->peer_error) : NULL;
    g_mutex_unlock(&path->lock);
    return copy;
}

int64_t zc_return_path_stop(struct zc_return_path *path)
{
    const uint64_t one = 1;

    if (!path) {
        return 0;
    }
    if (path->thread) {
        if (write(path->stop_fd, &one, sizeof(one)) < 0) {
            zc_debug("cannot stop the return path: %s", g_strerror(errno));
        }
        g_thread_join(path->thread);
    }
    int64_t cpu_ns = path->cpu_ns;
    if (path->stop_fd >= 0) {
        close(path->stop_fd);
    }
    g_clear_error(&path->peer_error);
    g_mutex_clear(&path->lock);
    g_cond_clear(&path->changed);
    g_free(path);
    return cpu_ns;
}
