/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Design: the demo uses zcmig as anyone would, by its command line, and what
 * they found comes back as the JSON that any program would read.  recv says
 * where it listens before send is started, so no port is chosen here.
 *
 * A signal cancels the sender, which tells its peer; both still say how it
 * ended, and that is waited for.  A second signal ends the wait.
 */
#include "config.h"

#include <signal.h>
#include <unistd.h>

#include <zcmig/error.h>

#include "tools/child.h"
#include "tools/cli.h"
#include "tools/demo-pair.h"

#define LAST_WORDS_US (10 * G_USEC_PER_SEC) /* of an end whose peer failed, or that was cancelled  \
                                             */

struct end {
    const char *name;
    struct zc_child child;
};

struct run {
    const struct zc_demo_pair_options *options;
    struct end send;
    struct end recv;
    int64_t deadline_us;
    gboolean cancelled;
};

/* What fails is in the report; said twice, on stderr too, it would only confuse. */
static gboolean end_start(const struct run *run, struct end *end, GPtrArray *argv, GError **error)
{
    g_ptr_array_add(argv, NULL);
    return zc_child_start(&end->child, (const char *const *)argv->pdata, TRUE,
                          run->options->wake_fd, error);
}

static void add_all(GPtrArray *argv, const char *const *words)
{
    for (; *words; words++) {
        g_ptr_array_add(argv, (gpointer)*words);
    }
}

/* The first signal: the sender cancels both ends.  TRUE when it does. */
static gboolean cancel(struct run *run)
{
    uint64_t signals;

    if (run->cancelled || read(run->options->wake_fd, &signals, sizeof(signals)) < 0) {
        return FALSE;
    }
    run->cancelled = TRUE;
    run->deadline_us = g_get_monotonic_time() + LAST_WORDS_US;
    if (run->send.child.process) {
        g_subprocess_send_signal(run->send.child.process, SIGINT);
    }
    return run->send.child.process != NULL;
}

/* The next object that this end prints. */
static JsonObject *end_next(struct run *run, struct end *end, GError **error)
{
    g_autofree char *what = g_strdup_printf("the report of zcmig %s", end->name);
    g_autoptr(GError) local = NULL;
    g_autofree char *line = NULL;

    while (!(line = zc_lines_next(&end->child.out, run->deadline_us, what, &local))) {
        if (!g_error_matches(local, ZCMIG_ERROR, ZCMIG_ERROR_CANCELLED) || !cancel(run)) {
            g_propagate_error(error, g_steal_pointer(&local));
            return NULL;
        }
        g_clear_error(&local);
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

/* The sender's report, which follows its progress. */
static JsonObject *sender_report(struct run *run, GError **error)
{
    JsonObject *object;

    while ((object = end_next(run, &run->send, error)) &&
           !json_object_has_member(object, "command")) {
        run->options->progress(object, run->options->data);
        json_object_unref(object);
    }
    return object;
}

/* ------------------------------------------------------------------- errors */

/* A report that speaks of a failure becomes an error with the code that its exit code stands for.
 */
static GError *error_of(const struct end *end, JsonObject *report)
{
    enum zcmig_error_code code = ZCMIG_ERROR_FAILED;

    if (!report || !json_object_has_member(report, "error")) {
        return NULL;
    }
    JsonObject *details = json_object_get_object_member(report, "error");
    switch (json_object_get_int_member_with_default(details, "exit-code", ZC_EXIT_FAILED)) {
    case ZC_EXIT_USAGE:
        code = ZCMIG_ERROR_USAGE;
        break;
    case ZC_EXIT_MISMATCH:
        code = ZCMIG_ERROR_MISMATCH;
        break;
    case ZC_EXIT_CANCELLED:
        code = ZCMIG_ERROR_CANCELLED;
        break;
    default:
        break;
    }
    return g_error_new(
        ZCMIG_ERROR, code, "zcmig %s: %s", end->name,
        json_object_get_string_member_with_default(details, "text", "no reason given"));
}

/* Whether this end failed because the other one did. */
static gboolean is_secondary(JsonObject *report)
{
    JsonObject *details = json_object_get_object_member(report, "error");
    const char *code = json_object_get_string_member_with_default(details, "code", "");

    return g_str_equal(code, "peer") || g_str_equal(code, "disconnected") ||
           g_str_equal(code, "cancelled");
}

static gboolean judge(const struct run *run, const struct zc_demo_pair *pair, GError **error)
{
    g_autoptr(GError) sent = error_of(&run->send, pair->send);
    g_autoptr(GError) received = error_of(&run->recv, pair->recv);

    if (run->cancelled) {
        g_set_error_literal(error, ZCMIG_ERROR, ZCMIG_ERROR_CANCELLED, "interrupted");
        return FALSE;
    }
    if (received && (!sent || !is_secondary(pair->recv))) {
        g_propagate_error(error, g_steal_pointer(&received));
        return FALSE;
    }
    if (sent) {
        g_propagate_error(error, g_steal_pointer(&sent));
        return FALSE;
    }
    return TRUE;
}

/* ---------------------------------------------------------------------- run */

static gboolean start_receiver(struct run *run, const char *program, JsonObject **listening_out,
                               GError **error)
{
    g_autoptr(GPtrArray) argv = g_ptr_array_new();

    g_ptr_array_add(argv, (gpointer)program);
    g_ptr_array_add(argv, (gpointer) "recv");
    g_ptr_array_add(argv, (gpointer)run->options->listen);
    add_all(argv, run->options->recv_options);
    g_ptr_array_add(argv, (gpointer) "--json");
    if (!end_start(run, &run->recv, argv, error)) {
        return FALSE;
    }
    *listening_out = end_next(run, &run->recv, error);
    return *listening_out != NULL;
}

static gboolean start_sender(struct run *run, const char *program, JsonObject *listening,
                             GError **error)
{
    const char *address = json_object_get_string_member_with_default(listening, "address", NULL);
    g_autoptr(GPtrArray) argv = g_ptr_array_new();
    GError *failed = error_of(&run->recv, listening);

    if (failed || !address) {
        g_propagate_error(error, failed ? failed
                                        : g_error_new(ZCMIG_ERROR, ZCMIG_ERROR_FAILED,
                                                      "zcmig recv did not say where it listens"));
        return FALSE;
    }
    g_ptr_array_add(argv, (gpointer)program);
    g_ptr_array_add(argv, (gpointer) "send");
    g_ptr_array_add(argv, (gpointer)run->options->source);
    g_ptr_array_add(argv, (gpointer)address);
    add_all(argv, run->options->send_options);
    g_ptr_array_add(argv, (gpointer) "--json");
    if (run->options->progress) {
        g_ptr_array_add(argv, (gpointer) "--progress=1");
    }
    return end_start(run, &run->send, argv, error);
}

static gboolean move(struct run *run, struct zc_demo_pair *pair, GError **error)
{
    g_autofree char *program = g_file_read_link("/proc/self/exe", error);
    g_autoptr(JsonObject) listening = NULL;

    if (!program || !start_receiver(run, program, &listening, error) ||
        !start_sender(run, program, listening, error)) {
        return FALSE;
    }
    pair->send = sender_report(run, error);
    if (!pair->send) {
        return FALSE;
    }
    if (json_object_has_member(pair->send, "error")) {
        /* A receiver that nobody came to would wait on. */
        run->deadline_us = MIN(run->deadline_us, g_get_monotonic_time() + LAST_WORDS_US);
    }
    g_autoptr(GError) unheard = NULL;
    pair->recv = end_next(run, &run->recv, &unheard);
    if (pair->recv || json_object_has_member(pair->send, "error")) {
        return judge(run, pair, error);
    }
    g_propagate_error(error, g_steal_pointer(&unheard));
    return FALSE;
}

gboolean zc_demo_pair_run(const struct zc_demo_pair_options *options, struct zc_demo_pair *pair_out,
                          GError **error)
{
    struct run run = {
        .options = options,
        .send = { .name = "send" },
        .recv = { .name = "recv" },
        .deadline_us = g_get_monotonic_time() + (int64_t)options->timeout_s * G_USEC_PER_SEC,
    };

    *pair_out = (struct zc_demo_pair){ 0 };
    g_autoptr(GError) local = NULL;
    gboolean done = move(&run, pair_out, &local);
    zc_child_stop(&run.send.child, pair_out->send != NULL);
    zc_child_stop(&run.recv.child, pair_out->recv != NULL);
    if (!done && run.cancelled) {
        g_set_error_literal(error, ZCMIG_ERROR, ZCMIG_ERROR_CANCELLED, "interrupted");
    } else if (!done) {
        g_propagate_error(error, g_steal_pointer(&local));
    }
    return done;
}

void zc_demo_pair_clear(struct zc_demo_pair *pair)
{
    g_clear_pointer(&pair->send, json_object_unref);
    g_clear_pointer(&pair->recv, json_object_unref);
}
