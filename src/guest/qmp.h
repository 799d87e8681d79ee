/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * QEMU's monitor protocol: one command at a time, its answer awaited until a
 * deadline, and the events that came meanwhile kept in their order.
 *
 *     connect --> greeting, qmp_capabilities --> execute | wait_event ... --> free
 *
 * QEMU's own words are passed on in errors.  One thread only.
 */
#ifndef ZC_GUEST_QMP_H
#define ZC_GUEST_QMP_H

#include <stdbool.h>

#include <json-glib/json-glib.h>

#include "base/clock.h"

#define ZC_QMP_LINE_BYTES_MAX (16u << 20) /* query-qmp-schema has 300 KiB */
#define ZC_QMP_EVENTS_MAX 256u            /* kept; of more, the oldest are dropped */

struct zc_qmp;

struct zc_qmp_version {
    unsigned int major, minor, micro;
};

/*
 * Connects to the monitor's UNIX socket @path and negotiates until @deadline.  @wake_fd (or -1,
 * borrowed until free) turning readable ends this and every later wait with ZCMIG_ERROR_CANCELLED.
 * Errors: ZCMIG_ERROR_CONNECT; ZCMIG_ERROR_PROTOCOL (no QMP greeting), and those of execute.
 */
struct zc_qmp *zc_qmp_connect(const char *path, zc_deadline deadline, int wake_fd, GError **error);

/* The same over a connected stream socket, which is taken even on failure. */
struct zc_qmp *zc_qmp_new(int fd, zc_deadline deadline, int wake_fd, GError **error);
void zc_qmp_free(struct zc_qmp *qmp); /* accepts NULL; QEMU goes on */

/* The process that made the monitor's socket, QEMU's unless somebody passed it one; 0: not known. */
int zc_qmp_get_peer_pid(const struct zc_qmp *qmp);

/* Of the greeting. */
struct zc_qmp_version zc_qmp_get_version(const struct zc_qmp *qmp);

/*
 * Executes @command with @arguments (or NULL; taken) and returns what it returned, to be freed
 * with json_node_unref.  NULL with @error: ZCMIG_ERROR_PEER (QEMU refused: its description),
 * ZCMIG_ERROR_UNSUPPORTED (this QEMU has no such command), ZCMIG_ERROR_TIMEOUT,
 * ZCMIG_ERROR_CANCELLED, ZCMIG_ERROR_DISCONNECTED, ZCMIG_ERROR_PROTOCOL.  After a timeout the next
 * command may follow: an answer that comes late is dropped.
 */
JsonNode *zc_qmp_execute(struct zc_qmp *qmp, const char *command, JsonObject *arguments,
                         zc_deadline deadline, GError **error);

/* The same for commands of which only success counts. */
bool zc_qmp_run(struct zc_qmp *qmp, const char *command, JsonObject *arguments,
                zc_deadline deadline, GError **error);

/*
 * Takes the first event called @name, kept or to come, and returns the whole of it ("event",
 * "data", "timestamp"; free with json_object_unref).  Events of other names stay.  Errors as above.
 */
JsonObject *zc_qmp_wait_event(struct zc_qmp *qmp, const char *name, zc_deadline deadline,
                              GError **error);

/* Takes the oldest event that is kept, without waiting; NULL when there is none. */
JsonObject *zc_qmp_take_event(struct zc_qmp *qmp);

#endif
