/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A migration of the soak by the real command: here an end can be killed. */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <gio/gio.h>
#include <json-glib/json-glib.h>

#include "bench/soak-case.h"
#include "bench/soak-later.h"

struct command {
    GSubprocess *process;
    GDataInputStream *out;
    JsonObject *report; /* NULL: it did not live to tell */
    int code;           /* -1: killed */
};

static bool start(struct command *command, GPtrArray *argv)
{
    g_ptr_array_add(argv, NULL);
    command->process =
        g_subprocess_newv((const char *const *)argv->pdata,
                          G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_SILENCE, NULL);
    if (!command->process) {
        return false;
    }
    command->out = g_data_input_stream_new(g_subprocess_get_stdout_pipe(command->process));
    return true;
}

/* The next object that it prints; NULL at the end. */
static JsonObject *next(struct command *command)
{
    g_autofree char *line = g_data_input_stream_read_line(command->out, NULL, NULL, NULL);
    g_autoptr(JsonNode) node = line ? json_from_string(line, NULL) : NULL;

    return node && JSON_NODE_HOLDS_OBJECT(node) ? json_node_dup_object(node) : NULL;
}

static void finish(struct command *command)
{
    JsonObject *object;

    if (!command->process) {
        return;
    }
    while ((object = next(command))) {
        g_clear_pointer(&command->report, json_object_unref);
        command->report = object;
    }
    g_subprocess_wait(command->process, NULL, NULL);
    command->code = g_subprocess_get_if_exited(command->process)
                        ? g_subprocess_get_exit_status(command->process)
                        : -1;
}

static void command_clear(struct command *command)
{
    g_clear_pointer(&command->report, json_object_unref);
    g_clear_object(&command->out);
    g_clear_object(&command->process);
}

/* ------------------------------------------------------------------- options */

static void add(GPtrArray *argv, const char *name, const char *value)
{
    g_ptr_array_add(argv, g_strdup_printf("--%s=%s", name, value));
}

static void add_number(GPtrArray *argv, const char *name, double value)
{
    char text[G_ASCII_DTOSTR_BUF_SIZE];

    add(argv, name, g_ascii_formatd(text, sizeof(text), "%.3f", value));
}

static void add_count(GPtrArray *argv, const char *name, uint64_t value)
{
    g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT, value);

    add(argv, name, text);
}

static GPtrArray *argv_new(const char *zcmig, const char *command)
{
    GPtrArray *argv = g_ptr_array_new_with_free_func(g_free);

    g_ptr_array_add(argv, g_strdup(zcmig));
    g_ptr_array_add(argv, g_strdup(command));
    g_ptr_array_add(argv, g_strdup("--json"));
    return argv;
}

static GPtrArray *send_argv(const struct soak_case *soak, const char *zcmig, const char *address)
{
    const struct zcmig_send_options *send = &soak->send;
    GPtrArray *argv = argv_new(zcmig, "send");

    g_ptr_array_add(argv, g_strdup(soak->source));
    g_ptr_array_add(argv, g_strdup(address));
    add(argv, "route", zcmig_route_name(send->route));
    add(argv, "engine", soak_engine_names[send->engine]);
    add(argv, "zerocopy", soak_zerocopy_names[send->zerocopy]);
    add(argv, "verify", soak_verify_names[send->verify]);
    add(argv, "tracker", soak_tracker_names[send->tracker]);
    add(argv, "timeout-policy",
        send->timeout_policy == ZCMIG_TIMEOUT_SWITCHOVER ? "switchover" : "cancel");
    if (send->channels) {
        add_count(argv, "channels", send->channels);
    }
    add_count(argv, "packet-pages", send->packet_pages);
    add_count(argv, "downtime-limit", (uint64_t)send->downtime_limit_ms);
    add_number(argv, "timeout", (double)send->timeout_ms / 1000);
    add_number(argv, "run-for", (double)send->run_for_ms / 1000);
    add_number(argv, "stall-timeout", (double)send->stall_timeout_ms / 1000);
    if (send->max_bandwidth) {
        add_count(argv, "max-bandwidth", send->max_bandwidth);
    }
    if (send->auto_converge) {
        g_ptr_array_add(argv, g_strdup("--auto-converge"));
    }
    return argv;
}

static GPtrArray *recv_argv(const struct soak_case *soak, const char *zcmig, const char *dir)
{
    GPtrArray *argv = argv_new(zcmig, "recv");

    g_ptr_array_add(argv, soak->way == SOAK_TCP ? g_strdup("tcp:127.0.0.1:0")
                                                : g_strdup_printf("unix:%s/socket", dir));
    add_number(argv, "run-for", (double)soak->recv.run_for_ms / 1000);
    add_number(argv, "accept-timeout", (double)soak->recv.accept_timeout_ms / 1000);
    add_number(argv, "stall-timeout", (double)soak->recv.stall_timeout_ms / 1000);
    return argv;
}

/* --------------------------------------------------------------------- judge */

static bool runs(const struct command *command, const char *place, gint64 *wrong_pages_out)
{
    JsonObject *guest = command->report && json_object_has_member(command->report, "guest")
                            ? json_object_get_object_member(command->report, "guest")
                            : NULL;

    *wrong_pages_out =
        guest ? json_object_get_int_member_with_default(guest, "wrong-pages", 0) : 0;
    return guest && g_str_equal(json_object_get_string_member(guest, "place"), place);
}

static const char *find_wrong(const struct soak_case *soak, const struct command *send,
                              const struct command *recv)
{
    gint64 wrong_from, wrong_to, unused;
    bool runs_here = runs(send, "runs", &wrong_from);
    bool runs_there = runs(recv, "runs", &wrong_to);
    bool gone = runs(send, "gone", &unused);

    if (wrong_from || wrong_to || send->code == 3 || recv->code == 3) {
        return "wrong pages";
    }
    if (send->code == 2 || recv->code == 2) {
        return "wrong usage";
    }
    if (runs_here && runs_there) {
        return "it runs at both ends";
    }
    if (soak->fault == SOAK_UNDISTURBED &&
        !(send->code == 0 && recv->code == 0 && gone && runs_there) &&
        !(send->code == 4 && runs_here)) {
        return "it failed undisturbed";
    }
    if (gone && recv->report && !runs_there) {
        return "it runs nowhere";
    }
    return NULL;
}

static void signal_process(struct command *command, int number)
{
    if (command->process) {
        g_subprocess_send_signal(command->process, number);
    }
}

static void interrupt(void *command)
{
    signal_process(command, SIGINT);
}

static void kill_it(void *command)
{
    signal_process(command, SIGKILL);
}

/* Of a case that breaks the connection, an end is killed. */
static void disturb(const struct soak_case *soak, struct soak_later *later, struct command *send,
                    struct command *recv)
{
    bool at_source = soak->fault == SOAK_CANCEL_SOURCE || soak->fault >= SOAK_CUT_BACK;

    if (soak->fault != SOAK_UNDISTURBED) {
        soak_later_start(later, soak->fault_us, soak->fault < SOAK_CUT ? interrupt : kill_it,
                         at_source ? send : recv);
    }
}

struct soak_result soak_case_run_commands(const struct soak_case *soak, const char *dir,
                                          const char *zcmig)
{
    struct command send = { 0 }, recv = { 0 };
    struct soak_result result = { .outcome = "by command" };
    struct soak_later later = { 0 };
    g_autoptr(GPtrArray) to = recv_argv(soak, zcmig, dir);
    g_autoptr(JsonObject) listening = start(&recv, to) ? next(&recv) : NULL;
    const char *wrong = "they could not be started";

    if (listening && json_object_has_member(listening, "address")) {
        g_autoptr(GPtrArray) from =
            send_argv(soak, zcmig, json_object_get_string_member(listening, "address"));
        if (start(&send, from)) {
            disturb(soak, &later, &send, &recv);
            finish(&send);
            if (!send.report) {
                /* A source that never came is not waited for. */
                interrupt(&recv);
            }
            wrong = NULL;
        }
    }
    finish(&recv);
    soak_later_stop(&later);
    if (!wrong) {
        wrong = find_wrong(soak, &send, &recv);
    }
    if (wrong) {
        result.wrong = g_strdup_printf("%s: send exits with %d, recv with %d", wrong, send.code,
                                       recv.code);
    }
    command_clear(&send);
    command_clear(&recv);
    /* Who was killed leaves its socket. */
    g_autofree char *socket = g_build_filename(dir, "socket", NULL);
    if (recv.code == -1) {
        remove(socket);
    }
    return result;
}
