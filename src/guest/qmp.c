/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: QMP is lines of JSON.  Every command carries a number as its id, so
 * that the answer to a command that was given up on is known for what it is
 * when it comes after all.  One place reads: read_message; what it reads is an
 * event, which is kept, or an answer, which only execute waits for.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "guest/qmp.h"
#include "net/addr.h"
#include "net/io.h"

struct zc_qmp {
    int fd;
    int wake_fd;
    GString *pending; /* bytes read, not yet a line */
    GQueue events;    /* JsonObject, the oldest first */
    int64_t last_id;
    struct zc_qmp_version version;
};

void zc_qmp_free(struct zc_qmp *qmp)
{
    if (!qmp) {
        return;
    }
    close(qmp->fd);
    g_string_free(qmp->pending, TRUE);
    g_queue_clear_full(&qmp->events, (GDestroyNotify)json_object_unref);
    g_free(qmp);
}

struct zc_qmp_version zc_qmp_get_version(const struct zc_qmp *qmp)
{
    return qmp->version;
}

int zc_qmp_get_peer_pid(const struct zc_qmp *qmp)
{
    struct ucred peer = { .pid = 0 };
    socklen_t length = sizeof(peer);

    return getsockopt(qmp->fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 ? (int)peer.pid : 0;
}

/* ----------------------------------------------------------------- messages */

/* Turns what a wait on the socket ended with into @error.  Returns false. */
static bool wait_failed(ssize_t result, const char *what, GError **error)
{
    switch (result) {
    case 0:
        return zc_error(error, ZCMIG_ERROR_DISCONNECTED, "QMP: %s: QEMU closed its monitor", what);
    case -ETIMEDOUT:
        return zc_error(error, ZCMIG_ERROR_TIMEOUT, "QMP: %s: no answer in time", what);
    case -ECANCELED:
        return zc_error(error, ZCMIG_ERROR_CANCELLED, "QMP: %s: cancelled", what);
    default:
        return zc_error_errno(error, ZCMIG_ERROR_DISCONNECTED, (int)result, "QMP: %s", what);
    }
}

/* The next line, without its end.  The caller frees. */
static char *read_line(struct zc_qmp *qmp, const char *what, zc_deadline deadline, GError **error)
{
    size_t searched = 0;

    for (;;) {
        const char *end = memchr(qmp->pending->str + searched, '\n', qmp->pending->len - searched);
        if (end) {
            size_t length = (size_t)(end - qmp->pending->str);
            char *line = g_strndup(qmp->pending->str, length);
            g_string_erase(qmp->pending, 0, (gssize)length + 1);
            return line;
        }
        searched = qmp->pending->len;
        if (searched > ZC_QMP_LINE_BYTES_MAX) {
            zc_error(error, ZCMIG_ERROR_LIMIT, "QMP: %s: got a line of over %u bytes", what,
                     ZC_QMP_LINE_BYTES_MAX);
            return NULL;
        }
        char chunk[8192];
        ssize_t n = zc_io_read_some(qmp->fd, chunk, sizeof(chunk), deadline, qmp->wake_fd);
        if (n <= 0) {
            wait_failed(n, what, error);
            return NULL;
        }
        g_string_append_len(qmp->pending, chunk, n);
    }
}

/* The next message, whatever it is. */
static JsonObject *read_message(struct zc_qmp *qmp, const char *what, zc_deadline deadline,
                                GError **error)
{
    g_autofree char *line = read_line(qmp, what, deadline, error);
    g_autoptr(JsonNode) node = line ? json_from_string(line, NULL) : NULL;

    if (!line) {
        return NULL;
    }
    if (!node || !JSON_NODE_HOLDS_OBJECT(node)) {
        zc_error(error, ZCMIG_ERROR_PROTOCOL, "QMP: %s: got a line that is no JSON object", what);
        return NULL;
    }
    return json_node_dup_object(node);
}

/* The member @name of @object when it is an object; else NULL. */
static JsonObject *member_object(JsonObject *object, const char *name)
{
    JsonNode *node = json_object_get_member(object, name);

    return node && JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
}

/* The member @name of @object when it is text; else "". */
static const char *member_text(JsonObject *object, const char *name)
{
    JsonNode *node = json_object_get_member(object, name);
    bool is_text =
        node && JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_STRING;

    return is_text ? json_node_get_string(node) : "";
}

static bool is_event(JsonObject *message)
{
    return *member_text(message, "event") != '\0';
}

static void keep_event(struct zc_qmp *qmp, JsonObject *event)
{
    g_queue_push_tail(&qmp->events, event);
    if (g_queue_get_length(&qmp->events) > ZC_QMP_EVENTS_MAX) {
        json_object_unref(g_queue_pop_head(&qmp->events));
    }
}

/* ----------------------------------------------------------------- commands */

/* The command as a line.  @arguments are taken. */
static char *format_command(const char *command, JsonObject *arguments, int64_t id)
{
    g_autoptr(JsonObject) object = json_object_new();
    g_autoptr(JsonNode) node = json_node_new(JSON_NODE_OBJECT);

    json_object_set_string_member(object, "execute", command);
    json_object_set_int_member(object, "id", id);
    if (arguments) {
        json_object_set_object_member(object, "arguments", arguments);
    }
    json_node_set_object(node, object);
    g_autofree char *text = json_to_string(node, FALSE);
    return g_strconcat(text, "\n", NULL);
}

/* What @answer holds: the returned node, or its error in ours. */
static JsonNode *open_answer(JsonObject *answer, const char *command, GError **error)
{
    JsonNode *returned = json_object_get_member(answer, "return");
    JsonObject *refused = member_object(answer, "error");

    if (returned) {
        return json_node_copy(returned);
    }
    if (!refused) {
        zc_error(error, ZCMIG_ERROR_PROTOCOL,
                 "QMP: %s: got an answer with neither 'return' nor 'error'", command);
        return NULL;
    }
    bool unknown = strcmp(member_text(refused, "class"), "CommandNotFound") == 0;
    zc_error(error, unknown ? ZCMIG_ERROR_UNSUPPORTED : ZCMIG_ERROR_PEER, "QEMU: %s: %s", command,
             member_text(refused, "desc"));
    return NULL;
}

/*
 * Whether @message answers command number @id.  An error without an id answers what QEMU could
 * not even parse, which is the command at hand.
 */
static bool answers(JsonObject *message, int64_t id)
{
    if (!json_object_has_member(message, "id")) {
        return json_object_has_member(message, "error");
    }
    return json_object_get_int_member_with_default(message, "id", -1) == id;
}

JsonNode *zc_qmp_execute(struct zc_qmp *qmp, const char *command, JsonObject *arguments,
                         zc_deadline deadline, GError **error)
{
    int64_t id = ++qmp->last_id;
    g_autofree char *line = format_command(command, arguments, id);

    int result = zc_io_write_all(qmp->fd, line, strlen(line), deadline, qmp->wake_fd);
    if (result < 0) {
        wait_failed(result, command, error);
        return NULL;
    }
    for (;;) {
        g_autoptr(JsonObject) message = read_message(qmp, command, deadline, error);
        if (!message) {
            return NULL;
        }
        if (is_event(message)) {
            keep_event(qmp, g_steal_pointer(&message));
        } else if (answers(message, id)) {
            return open_answer(message, command, error);
        } /* else it comes too late: nobody waits for it any more */
    }
}

bool zc_qmp_run(struct zc_qmp *qmp, const char *command, JsonObject *arguments,
                zc_deadline deadline, GError **error)
{
    g_autoptr(JsonNode) returned = zc_qmp_execute(qmp, command, arguments, deadline, error);

    return returned != NULL;
}

/* ------------------------------------------------------------------- events */

static JsonObject *take_kept_event(struct zc_qmp *qmp, const char *name)
{
    for (GList *link = qmp->events.head; link; link = link->next) {
        JsonObject *event = link->data;
        if (strcmp(member_text(event, "event"), name) == 0) {
            g_queue_delete_link(&qmp->events, link);
            return event;
        }
    }
    return NULL;
}

JsonObject *zc_qmp_wait_event(struct zc_qmp *qmp, const char *name, zc_deadline deadline,
                              GError **error)
{
    JsonObject *event = take_kept_event(qmp, name);

    while (!event) {
        g_autoptr(JsonObject) message = read_message(qmp, name, deadline, error);
        if (!message) {
            return NULL;
        }
        if (is_event(message)) {
            keep_event(qmp, g_steal_pointer(&message));
            event = take_kept_event(qmp, name);
        }
    }
    return event;
}

JsonObject *zc_qmp_take_event(struct zc_qmp *qmp)
{
    return g_queue_pop_head(&qmp->events);
}

/* --------------------------------------------------------------- connecting */

/* {"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, ...}, ...}} */
static bool read_greeting(struct zc_qmp *qmp, zc_deadline deadline, GError **error)
{
    g_autoptr(JsonObject) greeting = read_message(qmp, "greeting", deadline, error);

    if (!greeting) {
        return false;
    }
    JsonObject *body = member_object(greeting, "QMP");
    JsonObject *version = body ? member_object(body, "version") : NULL;
    JsonObject *qemu = version ? member_object(version, "qemu") : NULL;
    if (!qemu) {
        return zc_error(error, ZCMIG_ERROR_PROTOCOL, "QMP: greeting: this is not QEMU's monitor");
    }
    qmp->version.major = (unsigned int)json_object_get_int_member_with_default(qemu, "major", 0);
    qmp->version.minor = (unsigned int)json_object_get_int_member_with_default(qemu, "minor", 0);
    qmp->version.micro = (unsigned int)json_object_get_int_member_with_default(qemu, "micro", 0);
    return true;
}

struct zc_qmp *zc_qmp_new(int fd, zc_deadline deadline, int wake_fd, GError **error)
{
    struct zc_qmp *qmp = g_new0(struct zc_qmp, 1);

    qmp->fd = fd;
    qmp->wake_fd = wake_fd;
    qmp->pending = g_string_new(NULL);
    g_queue_init(&qmp->events);
    if (!read_greeting(qmp, deadline, error) ||
        !zc_qmp_run(qmp, "qmp_capabilities", NULL, deadline, error)) {
        zc_qmp_free(qmp);
        return NULL;
    }
    return qmp;
}

struct zc_qmp *zc_qmp_connect(const char *path, zc_deadline deadline, int wake_fd, GError **error)
{
    struct zc_addr addr = { .kind = ZC_ADDR_UNIX, .host = (char *)path, .fd = -1 };
    int fd = zc_addr_connect(&addr, deadline, wake_fd, error);

    return fd < 0 ? NULL : zc_qmp_new(fd, deadline, wake_fd, error);
}
