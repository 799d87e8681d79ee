/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Design: the two ends share nothing but the connection, as on two hosts; what
 * they found comes back as the JSON that any program would read.  recv says
 * where it listens before send is started, so no port is chosen here.
 */
#include "config.h"

#include <zcmig/error.h>

#include "tools/child.h"
#include "tools/cli.h"
#include "tools/demo-pair.h"

struct end {
    const char *name;
    struct zc_child child;
};

/* What fails is in the report; said twice, on stderr too, it would only confuse. */
static gboolean end_start(struct end *end, const char *const *argv, int wake_fd, GError **error)
{
    return zc_child_start(&end->child, argv, TRUE, wake_fd, error);
}

/* The next object that this end prints. */
static JsonObject *end_next(struct end *end, int64_t deadline_us, GError **error)
{
    g_autofree char *what = g_strdup_printf("the report of zcmig %s", end->name);
    g_autofree char *line = zc_lines_next(&end->child.out, deadline_us, what, error);

    if (!line) {
        return NULL;
    }
    g_autoptr(JsonNode) node = json_from_string(line, NULL);
    if (!node || !JSON_NODE_HOLDS_OBJECT(node)) {
        g_autofree char *shown = zc_cli_one_line(line);
        g_set_error(error, ZCMIG_ERROR, ZCMIG_ERROR_FAILED, "%s: got '%s', allowed a JSON object",
                    what, shown);
        return NULL;
    }
    return json_node_dup_object(node);
}

/* A report that speaks of a failure becomes an error with the code that its exit code stands for.
 */
static gboolean check_report(const struct end *end, JsonObject *report, GError **error)
{
    enum zcmig_error_code code = ZCMIG_ERROR_FAILED;

    if (!json_object_has_member(report, "error")) {
        return TRUE;
    }
    JsonObject *details = json_object_get_object_member(report, "error");
    switch (json_object_get_int_member_with_default(details, "exit-code", ZC_EXIT_FAILED)) {
    case ZC_EXIT_MISMATCH:
        code = ZCMIG_ERROR_MISMATCH;
        break;
    case ZC_EXIT_CANCELLED:
        code = ZCMIG_ERROR_CANCELLED;
        break;
    default:
        break;
    }
    g_set_error(error, ZCMIG_ERROR, code, "zcmig %s: %s", end->name,
                json_object_get_string_member_with_default(details, "text", "no reason given"));
    return FALSE;
}

static gboolean start_sender(struct end *send, const struct zc_demo_pair_options *options,
                             const char *program, JsonObject *listening, GError **error)
{
    const char *address = json_object_get_string_member_with_default(listening, "address", NULL);
    g_autofree char *source = g_strconcat("file:", options->image, NULL);
    g_autofree char *channels = g_strdup_printf("--channels=%u", options->channels);
    const char *argv[] = { program, "send", source, address, channels, "--json", NULL };

    if (!address) {
        g_set_error(error, ZCMIG_ERROR, ZCMIG_ERROR_FAILED,
                    "zcmig recv did not say where it listens");
        return FALSE;
    }
    return end_start(send, argv, options->wake_fd, error);
}

static gboolean run(const struct zc_demo_pair_options *options, struct end *send, struct end *recv,
                    struct zc_demo_pair *pair, GError **error)
{
    int64_t deadline_us = g_get_monotonic_time() + (int64_t)options->timeout_s * G_USEC_PER_SEC;
    g_autofree char *program = g_file_read_link("/proc/self/exe", error);
    const char *recv_argv[] = { program,  "recv", "tcp:127.0.0.1:0", "-o", options->output,
                                "--json", NULL };

    if (!program || !end_start(recv, recv_argv, options->wake_fd, error)) {
        return FALSE;
    }
    g_autoptr(JsonObject) listening = end_next(recv, deadline_us, error);
    if (!listening || !check_report(recv, listening, error) ||
        !start_sender(send, options, program, listening, error)) {
        return FALSE;
    }
    pair->send = end_next(send, deadline_us, error);
    if (!pair->send) {
        return FALSE;
    }
    pair->recv = end_next(recv, deadline_us, error);
    /* The receiver is the one that knows of a mismatch in its own words. */
    return pair->recv && check_report(recv, pair->recv, error) &&
           check_report(send, pair->send, error);
}

gboolean zc_demo_pair_run(const struct zc_demo_pair_options *options, struct zc_demo_pair *pair_out,
                          GError **error)
{
    struct end send = { .name = "send" }, recv = { .name = "recv" };
    struct zc_demo_pair pair = { 0 };

    gboolean done = run(options, &send, &recv, &pair, error);
    zc_child_stop(&send.child, done);
    zc_child_stop(&recv.child, done);
    if (!done) {
        zc_demo_pair_clear(&pair);
        return FALSE;
    }
    *pair_out = pair;
    return TRUE;
}

void zc_demo_pair_clear(struct zc_demo_pair *pair)
{
    g_clear_pointer(&pair->send, json_object_unref);
    g_clear_pointer(&pair->recv, json_object_unref);
}
