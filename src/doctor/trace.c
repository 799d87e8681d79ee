/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: skb_copy_ubufs() is the kernel's function for copying the user pages
 * of a packet, but not the only one that does it: a packet that is made linear
 * for a checksum, or cut into segments for a device without scatter-gather, is
 * copied elsewhere.  So several functions are probed.  Which exist, and how the
 * histogram's key is called, is found out by trying.
 *
 * Histograms are kept by the kernel: no event is lost, no buffer overflows and
 * no thread reads.  All names hold our PID and the PID namespace that it is of,
 * so that whoever finds such a probe of a dead process may remove it.
 */
#include "config.h"

#include "base/error.h"
#include "doctor/trace.h"

#ifdef HAVE_LIBTRACEFS

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tracefs.h>

#define NAME_PREFIX "zcmig_"

static const struct probe {
    const char *event;
    const char *function;
    const char *format; /* of its arguments; "" */
    const char *filter; /* of the histogram; "" */
} probes[] = {
    { "copy", "skb_copy_ubufs", "", "" },
    { "checksum", "skb_checksum_help", "", "" },
    /* A few bytes are pulled all the time, for headers. */
    { "pull", "__pskb_pull_tail", "bytes=$arg2:u32", " if bytes > 512" },
    { "segment", "skb_segment", "", "" },
};

/* Where a packet lets go of user pages, by the names that kernels gave it; (skb, uarg, success). */
#define RELEASES_EVENT "release"
static const char *const release_functions[] = { "msg_zerocopy_complete", "msg_zerocopy_callback" };

struct zc_trace {
    char name[48];
    struct tracefs_instance *instance;
    bool made[G_N_ELEMENTS(probes)];
    bool counts_releases;
};

static void remove_events(const char *system)
{
    struct tracefs_dynevent **events =
        tracefs_dynevent_get_all(TRACEFS_DYNEVENT_KPROBE | TRACEFS_DYNEVENT_KRETPROBE, system);

    for (unsigned int i = 0; events && events[i]; i++) {
        tracefs_dynevent_destroy(events[i], false);
    }
    tracefs_dynevent_list_free(events);
}

static void trace_free(struct zc_trace *trace)
{
    /* With the instance go its triggers, which hold the events. */
    if (trace->instance) {
        tracefs_instance_destroy(trace->instance);
        tracefs_instance_free(trace->instance);
    }
    remove_events(trace->name);
    g_free(trace);
}

/* What the names of this PID namespace begin with.  The caller frees. */
static char *name_prefix(void)
{
    struct stat st = { 0 };

    stat("/proc/self/ns/pid", &st);
    return g_strdup_printf(NAME_PREFIX "%lu_", (unsigned long)st.st_ino);
}

/* Of the process that made the instance @name; 0: it is not one of ours. */
static pid_t owner_of(const char *name, const char *prefix)
{
    guint64 pid = 0;

    return g_str_has_prefix(name, prefix) &&
                   g_ascii_string_to_unsigned(name + strlen(prefix), 10, 1, G_MAXINT, &pid, NULL)
               ? (pid_t)pid
               : 0;
}

static void remove_left_behind(const char *prefix)
{
    char **names = tracefs_instances(NULL); /* libtracefs 1.6.4 never frees a pattern */

    for (unsigned int i = 0; names && names[i]; i++) {
        pid_t pid = owner_of(names[i], prefix);
        if (pid && kill(pid, 0) < 0 && errno == ESRCH) {
            struct tracefs_instance *instance = tracefs_instance_alloc(NULL, names[i]);
            if (instance) {
                tracefs_instance_destroy(instance);
                tracefs_instance_free(instance);
            }
            remove_events(names[i]);
        }
    }
    tracefs_list_free(names);
}

static bool write_trigger(struct zc_trace *trace, const char *event, const char *trigger)
{
    return tracefs_event_file_write(trace->instance, trace->name, event, "trigger", trigger) > 0;
}

static bool start_counting_releases(struct zc_trace *trace)
{
    bool made = false;

    for (unsigned int i = 0; !made && i < G_N_ELEMENTS(release_functions); i++) {
        made = tracefs_kprobe_raw(trace->name, RELEASES_EVENT, release_functions[i],
                                  "success=$arg3:u8") == 0;
    }
    return made && write_trigger(trace, RELEASES_EVENT, "hist:keys=success");
}

static bool start_probe(struct zc_trace *trace, const struct probe *probe)
{
    static const char *const keys[] = { "common_stacktrace", "stacktrace" };
    bool started = false;

    if (tracefs_kprobe_raw(trace->name, probe->event, probe->function, probe->format) < 0) {
        return false;
    }
    for (unsigned int i = 0; !started && i < G_N_ELEMENTS(keys); i++) {
        g_autofree char *trigger = g_strdup_printf("hist:keys=%s%s", keys[i], probe->filter);
        started = write_trigger(trace, probe->event, trigger);
    }
    return started;
}

/* What the first probe's failure means; @saved_errno is that of the attempt. */
static void say_why_not(GError **error, int saved_errno)
{
    if (!tracefs_file_exists(NULL, "kprobe_events")) {
        zc_error(error, ZCMIG_ERROR_UNSUPPORTED,
                 "cannot trace: this kernel has no kprobe_events (CONFIG_KPROBE_EVENTS)");
    } else if (saved_errno == EPERM || saved_errno == EACCES) {
        zc_error(error, ZCMIG_ERROR_UNSUPPORTED,
                 "cannot trace: kprobes are forbidden here (kernel lockdown, or not root)");
    } else {
        zc_error_errno(error, ZCMIG_ERROR_UNSUPPORTED, saved_errno,
                       "cannot trace: no probe on skb_copy_ubufs");
    }
}

static bool can_trace(GError **error)
{
    const char *dir = tracefs_tracing_dir();

    if (!dir) {
        return zc_error(error, ZCMIG_ERROR_UNSUPPORTED,
                        "cannot trace: there is no tracefs at /sys/kernel/tracing%s",
                        geteuid() == 0 ? ", and it cannot be mounted"
                                       : "; it takes root to mount it");
    }
    if (access(dir, R_OK | W_OK | X_OK) < 0) {
        return zc_error_errno(error, ZCMIG_ERROR_UNSUPPORTED, errno,
                              "cannot trace: %s (run as root)", dir);
    }
    return true;
}

struct zc_trace *zc_trace_start(GError **error)
{
    g_autofree char *prefix = name_prefix();

    if (!can_trace(error)) {
        return NULL;
    }
    remove_left_behind(prefix);
    struct zc_trace *trace = g_new0(struct zc_trace, 1);
    g_snprintf(trace->name, sizeof(trace->name), "%s%d", prefix, (int)getpid());
    trace->instance = tracefs_instance_create(trace->name);
    if (!trace->instance) {
        zc_error_errno(error, ZCMIG_ERROR_UNSUPPORTED, errno, "cannot trace: no tracefs instance");
        trace_free(trace);
        return NULL;
    }
    for (unsigned int i = 0; i < G_N_ELEMENTS(probes); i++) {
        errno = 0;
        trace->made[i] = start_probe(trace, &probes[i]);
        if (i == 0 && !trace->made[i]) {
            say_why_not(error, errno);
            trace_free(trace);
            return NULL;
        }
    }
    trace->counts_releases = start_counting_releases(trace);
    return trace;
}

/* NULL when there is none; the caller frees with free(). */
static char *read_histogram(struct zc_trace *trace, const char *event)
{
    return tracefs_event_file_read(trace->instance, trace->name, event, "hist", NULL);
}

void zc_trace_stop(struct zc_trace *trace, struct zc_traced *traced_out)
{
    *traced_out = (struct zc_traced){ .stacks = zc_stacks_new() };
    for (unsigned int i = 0; i < G_N_ELEMENTS(probes); i++) {
        char *text = trace->made[i] ? read_histogram(trace, probes[i].event) : NULL;
        if (text) {
            zc_stacks_parse(text, probes[i].event, probes[i].function, traced_out->stacks);
        }
        free(text);
    }
    char *text = trace->counts_releases ? read_histogram(trace, RELEASES_EVENT) : NULL;
    if (text) {
        traced_out->counted = true;
        traced_out->released_copied = zc_stacks_count(text, "success", 0);
        traced_out->released_not_copied = zc_stacks_count(text, "success", 1);
    }
    free(text);
    zc_stacks_sort(traced_out->stacks);
    trace_free(trace);
}

#else

struct zc_trace *zc_trace_start(GError **error)
{
    zc_error(error, ZCMIG_ERROR_UNSUPPORTED,
             "cannot trace: this zcmig was built without libtracefs");
    return NULL;
}

void zc_trace_stop(struct zc_trace *trace, struct zc_traced *traced_out)
{
    (void)trace;
    *traced_out = (struct zc_traced){ .stacks = zc_stacks_new() };
}

#endif
