/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "base/error.h"
#include "guest/qemu.h"

#define PID_MAX 4194304 /* PID_MAX_LIMIT of the kernel */

/* ------------------------------------------------------------------ address */

void zc_qemu_address_clear(struct zc_qemu_address *address)
{
    g_clear_pointer(&address->path, g_free);
}

static bool parse_option(const char *option, struct zc_qemu_address *address, GError **error)
{
    static const char *const ways[ZC_QEMU_N_WAYS] = { "auto", "file", "process", "pmemsave" };
    guint64 pid;

    if (g_str_has_prefix(option, "pid=") &&
        g_ascii_string_to_unsigned(option + strlen("pid="), 10, 1, PID_MAX, &pid, NULL)) {
        address->pid = (int)pid;
        return true;
    }
    for (unsigned int i = 0; i < ZC_QEMU_N_WAYS; i++) {
        if (g_str_has_prefix(option, "way=") && strcmp(option + strlen("way="), ways[i]) == 0) {
            address->way = (enum zc_qemu_way)i;
            return true;
        }
    }
    return zc_error(error, ZCMIG_ERROR_USAGE,
                    "QEMU's monitor: got ',%s', allowed are ,pid=N and ,way=auto, file, process or "
                    "pmemsave",
                    option);
}

bool zc_qemu_address_parse(const char *text, struct zc_qemu_address *address, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(text, ",", -1);

    *address = (struct zc_qemu_address){ .way = ZC_QEMU_AUTO };
    if (!parts[0] || !*parts[0]) {
        return zc_error(error, ZCMIG_ERROR_USAGE,
                        "QEMU's monitor: the path of its socket is "
                        "missing");
    }
    for (char **option = parts + 1; *option; option++) {
        if (!parse_option(*option, address, error)) {
            return false;
        }
    }
    address->path = g_strdup(parts[0]);
    return true;
}

/* -------------------------------------------------------------------- state */

static JsonObject *as_object(JsonNode *node)
{
    return node && JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
}

/* Member @name, where it has such a value; else NULL. */
static JsonNode *value_of(JsonObject *object, const char *name, GType type)
{
    JsonNode *node = object ? json_object_get_member(object, name) : NULL;

    return node && JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == type ? node
                                                                                         : NULL;
}

static const char *text_of(JsonObject *object, const char *name)
{
    JsonNode *node = value_of(object, name, G_TYPE_STRING);

    return node ? json_node_get_string(node) : "";
}

static uint64_t count_of(JsonObject *object, const char *name)
{
    JsonNode *node = value_of(object, name, G_TYPE_INT64);

    return node && json_node_get_int(node) > 0 ? (uint64_t)json_node_get_int(node) : 0;
}

bool zc_qemu_check_still(struct zc_qmp *qmp, const char *doing, GError **error)
{
    /* Of these, devices of a guest that is not running are at rest as well. */
    static const char *const still[] = { "paused",   "postmigrate",    "finish-migrate",
                                         "shutdown", "guest-panicked", "internal-error",
                                         "io-error", "prelaunch",      "watchdog" };
    g_autoptr(JsonNode) returned =
        zc_qmp_execute(qmp, "query-status", NULL, zc_deadline_in(ZC_QEMU_ANSWER_MS), error);
    if (!returned) {
        return false;
    }
    const char *status = text_of(as_object(returned), "status");
    for (size_t i = 0; i < G_N_ELEMENTS(still); i++) {
        if (strcmp(status, still[i]) == 0) {
            return true;
        }
    }
    return zc_error(error, ZCMIG_ERROR_SOURCE,
                    "QEMU: %s: the guest must stand still: got status '%s', allowed are paused, "
                    "postmigrate, finish-migrate and others in which it is stopped",
                    doing, status);
}

/* ----------------------------------------------------------------- progress */

void zc_qemu_read_progress(JsonNode *returned, struct zc_qemu_progress *progress_out)
{
    JsonObject *migration = as_object(returned);
    JsonObject *ram = migration ? as_object(json_object_get_member(migration, "ram")) : NULL;
    const char *status = text_of(migration, "status");

    memset(progress_out, 0, sizeof(*progress_out));
    g_strlcpy(progress_out->status, *status ? status : "none", sizeof(progress_out->status));
    g_strlcpy(progress_out->reason, text_of(migration, "error-desc"), sizeof(progress_out->reason));
    progress_out->total_bytes = count_of(ram, "total");
    progress_out->remaining_bytes = count_of(ram, "remaining");
    progress_out->transferred_bytes = count_of(ram, "transferred");
    progress_out->iteration = count_of(ram, "dirty-sync-count");
    progress_out->dirty_pages_per_s = count_of(ram, "dirty-pages-rate");
    progress_out->expected_downtime_ms = count_of(migration, "expected-downtime");
    progress_out->downtime_ms = count_of(migration, "downtime");
}

bool zc_qemu_query_progress(struct zc_qmp *qmp, zc_deadline deadline,
                            struct zc_qemu_progress *progress_out, GError **error)
{
    g_autoptr(JsonNode) returned = zc_qmp_execute(qmp, "query-migrate", NULL, deadline, error);

    if (returned) {
        zc_qemu_read_progress(returned, progress_out);
    }
    return returned != NULL;
}
