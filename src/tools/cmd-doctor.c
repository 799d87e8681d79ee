/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <zcmig/doctor.h>

#include "tools/cli.h"
#include "tools/options.h"
#include "tools/report.h"

#define RTT_MS_MAX 60000.0

static const struct zc_usage usage = {
    .command = "doctor",
    .arguments = "[DEST]",
    .summary = "Says whether zero-copy will work on the way to DEST, and if not, who is to blame.",
    .details =
        "DEST is a host name or address, tcp:HOST:PORT, vsock:CID:PORT or unix:PATH; without "
        "it, every\ninterface that is up is examined. For --probe, something must listen there "
        "that reads and\nthrows away: a 'zcmig bench --sink=tcp:HOST:PORT', or a discard service "
        "(port 9, also when\nDEST has no port). Exit codes: 0 works, 5 will copy, 1 cannot tell.\n",
    .n_optional = 1,
};

struct doctor_text {
    char *bandwidth;
    char *rtt;
    char *stall_timeout;
    char *duration;
    gboolean probe;
    gboolean trace;
    gboolean json;
};

/* ------------------------------------------------------------------- text */

/* What a process calls itself may hold anything, so each text is made one harmless line. */
static void print_line(const char *label, const char *text)
{
    g_autofree char *line = zc_cli_one_line(text);

    printf("%s%s\n", label, line);
}

static void print_finding(const struct zcmig_finding *finding)
{
    g_autofree char *label = g_strdup_printf("  %-8s ", zcmig_effect_name(finding->effect));

    print_line(label, finding->summary);
    if (*finding->evidence) {
        print_line("           seen:    ", finding->evidence);
    }
    if (*finding->remedy) {
        print_line("           do:      ", finding->remedy);
    }
    if (*finding->missing_right) {
        print_line("           missing: ", finding->missing_right);
    }
}

/* What holds for the whole host is said once, with the first path. */
static bool was_said(const struct zcmig_finding *finding, unsigned int n_path)
{
    return n_path > 0 && !*finding->device && finding->effect <= ZCMIG_EFFECT_LIMITS;
}

static void print_path(const struct zcmig_path *path, unsigned int n_path)
{
    static const char *const words[] = {
        [ZCMIG_VERDICT_WORKS] = "will work",
        [ZCMIG_VERDICT_UNKNOWN] = "cannot tell",
        [ZCMIG_VERDICT_COPIES] = "will copy",
    };
    g_autofree char *where = g_strdup_printf(
        "zero-copy%s%s%s%s%s%s: %s", *path->destination ? " to " : "", path->destination,
        *path->address && g_strcmp0(path->address, path->destination) != 0 ? ", " : "",
        g_strcmp0(path->address, path->destination) != 0 ? path->address : "",
        *path->device ? " by " : "", path->device, words[path->verdict]);

    print_line(n_path > 0 ? "\n" : "", where);
    for (unsigned int i = 0; i < path->n_findings; i++) {
        if (!was_said(&path->findings[i], n_path)) {
            print_finding(&path->findings[i]);
        }
    }
}

static bool same_way(const struct zcmig_stack *one, const struct zcmig_stack *other)
{
    return *one->cause && strcmp(one->event, other->event) == 0 &&
           strcmp(one->meaning, other->meaning) == 0;
}

/* Ways that mean the same are one, which the most frequent stack stands for. */
static void print_stack(const struct zcmig_stack *stacks, unsigned int n_stacks, unsigned int index)
{
    const struct zcmig_stack *stack = &stacks[index];
    uint64_t hits = stack->hits;

    for (unsigned int i = 0; i < index; i++) {
        if (same_way(&stacks[i], stack)) {
            return;
        }
    }
    for (unsigned int i = index + 1; i < n_stacks; i++) {
        hits += same_way(&stacks[i], stack) ? stacks[i].hits : 0;
    }
    g_autofree char *way = g_strjoinv(" < ", (char **)stack->functions);
    g_autofree char *label =
        g_strdup_printf("  %-8s %" G_GUINT64_FORMAT " times: ", stack->event, hits);
    print_line(label, *stack->cause ? stack->meaning : "a way that zcmig does not know");
    print_line("           stack:   ", way);
}

static void print_trace(const zcmig_diagnosis *diagnosis)
{
    unsigned int n_stacks;
    uint64_t copied, not_copied;
    const struct zcmig_stack *stacks = zcmig_diagnosis_get_stacks(diagnosis, &n_stacks);

    puts(n_stacks > 0 ? "\nwhere the kernel copied meanwhile, on the whole machine:"
                      : "\nmeanwhile the kernel copied user pages nowhere on this machine");
    for (unsigned int i = 0; i < n_stacks; i++) {
        print_stack(stacks, n_stacks, i);
    }
    if (zcmig_diagnosis_get_releases(diagnosis, &copied, &not_copied)) {
        printf("  release  packets let go of user pages %" G_GUINT64_FORMAT
               " times copied, %" G_GUINT64_FORMAT " times not copied\n",
               copied, not_copied);
    }
}

/* ------------------------------------------------------------------- JSON */

static void add_flag(JsonBuilder *builder, const char *name, bool value)
{
    json_builder_set_member_name(builder, name);
    json_builder_add_boolean_value(builder, value);
}

static void add_tap(JsonBuilder *builder, const struct zcmig_tap *tap)
{
    json_builder_set_member_name(builder, "tap");
    json_builder_begin_object(builder);
    if (tap->pid != 0) {
        zc_report_add_text(builder, "process", tap->process);
        zc_report_add_count(builder, "pid", (uint64_t)tap->pid);
    }
    zc_report_add_count(builder, "owners", tap->n_owners);
    zc_report_add_count(builder, "uid", tap->uid);
    zc_report_add_text(builder, "user", tap->user);
    zc_report_add_count(builder, "inode", tap->inode);
    zc_report_add_text(builder, "interface", tap->interface);
    zc_report_add_count(builder, "protocol", tap->protocol);
    zc_report_add_count(builder, "netns", tap->netns);
    add_flag(builder, "own-netns", tap->own_netns);
    if (tap->ignores_outgoing >= 0) {
        add_flag(builder, "ignores-outgoing", tap->ignores_outgoing);
    }
    json_builder_end_object(builder);
}

static void add_finding(JsonBuilder *builder, const struct zcmig_finding *finding)
{
    json_builder_begin_object(builder);
    zc_report_add_text(builder, "effect", zcmig_effect_name(finding->effect));
    zc_report_add_text(builder, "cause", finding->cause);
    zc_report_add_text(builder, "device", finding->device);
    zc_report_add_text(builder, "summary", finding->summary);
    zc_report_add_text(builder, "evidence", finding->evidence);
    zc_report_add_text(builder, "remedy", finding->remedy);
    zc_report_add_text(builder, "missing-right", finding->missing_right);
    if (finding->tap) {
        add_tap(builder, finding->tap);
    }
    json_builder_end_object(builder);
}

static void add_probe(JsonBuilder *builder, const struct zcmig_probe *probe)
{
    json_builder_set_member_name(builder, "probe");
    json_builder_begin_object(builder);
    zc_report_add_count(builder, "bytes", probe->bytes);
    zc_report_add_count(builder, "calls", probe->calls);
    zc_report_add_count(builder, "plain-calls", probe->plain_calls);
    zc_report_add_count(builder, "completed", probe->completed);
    zc_report_add_count(builder, "copied-min", probe->copied_min);
    zc_report_add_count(builder, "copied-max", probe->copied_max);
    zc_report_add_text(builder, "trouble", probe->trouble);
    json_builder_end_object(builder);
}

static void add_stack(JsonBuilder *builder, const struct zcmig_stack *stack)
{
    json_builder_begin_object(builder);
    zc_report_add_text(builder, "event", stack->event);
    zc_report_add_count(builder, "hits", stack->hits);
    zc_report_add_text(builder, "cause", stack->cause);
    zc_report_add_text(builder, "meaning", stack->meaning);
    json_builder_set_member_name(builder, "functions");
    json_builder_begin_array(builder);
    for (const char *const *function = stack->functions; *function; function++) {
        json_builder_add_string_value(builder, *function);
    }
    json_builder_end_array(builder);
    json_builder_end_object(builder);
}

static void add_trace(JsonBuilder *builder, const zcmig_diagnosis *diagnosis)
{
    unsigned int n_stacks;
    uint64_t copied, not_copied;
    const struct zcmig_stack *stacks = zcmig_diagnosis_get_stacks(diagnosis, &n_stacks);

    json_builder_set_member_name(builder, "stacks");
    json_builder_begin_array(builder);
    for (unsigned int i = 0; i < n_stacks; i++) {
        add_stack(builder, &stacks[i]);
    }
    json_builder_end_array(builder);
    if (zcmig_diagnosis_get_releases(diagnosis, &copied, &not_copied)) {
        json_builder_set_member_name(builder, "releases");
        json_builder_begin_object(builder);
        zc_report_add_count(builder, "copied", copied);
        zc_report_add_count(builder, "not-copied", not_copied);
        json_builder_end_object(builder);
    }
}

static void add_path(JsonBuilder *builder, const struct zcmig_path *path)
{
    json_builder_begin_object(builder);
    zc_report_add_text(builder, "destination", path->destination);
    zc_report_add_text(builder, "address", path->address);
    zc_report_add_text(builder, "device", path->device);
    add_flag(builder, "loopback", path->loopback);
    zc_report_add_text(builder, "verdict", zcmig_verdict_name(path->verdict));
    json_builder_set_member_name(builder, "findings");
    json_builder_begin_array(builder);
    for (unsigned int i = 0; i < path->n_findings; i++) {
        add_finding(builder, &path->findings[i]);
    }
    json_builder_end_array(builder);
    if (path->probed) {
        add_probe(builder, &path->probe);
    }
    json_builder_end_object(builder);
}

static void print_json(const zcmig_diagnosis *diagnosis, bool traced)
{
    unsigned int n_paths;
    const struct zcmig_path *paths = zcmig_diagnosis_get_paths(diagnosis, &n_paths);
    g_autoptr(JsonBuilder) builder = json_builder_new();

    json_builder_begin_object(builder);
    zc_report_add_text(builder, "command", usage.command);
    zc_report_add_text(builder, "verdict",
                       zcmig_verdict_name(zcmig_diagnosis_get_verdict(diagnosis)));
    json_builder_set_member_name(builder, "paths");
    json_builder_begin_array(builder);
    for (unsigned int i = 0; i < n_paths; i++) {
        add_path(builder, &paths[i]);
    }
    json_builder_end_array(builder);
    if (traced) {
        add_trace(builder, diagnosis);
    }
    json_builder_end_object(builder);
    g_autofree char *line = zc_report_json_line(builder);
    fputs(line, stdout);
}

/* ---------------------------------------------------------------- command */

static bool read_rtt(const char *text, int64_t *ns_out, GError **error)
{
    char *end = NULL;

    if (!text) {
        return true;
    }
    double ms = g_ascii_strtod(text, &end);
    if (!g_ascii_isdigit(text[0]) || *end || !(ms > 0 && ms <= RTT_MS_MAX)) {
        g_set_error(error, ZCMIG_ERROR, ZCMIG_ERROR_USAGE,
                    "--rtt: got '%s', allowed are milliseconds up to %.0f, for example 0.2", text,
                    RTT_MS_MAX);
        return false;
    }
    *ns_out = (int64_t)llround(ms * 1e6);
    return true;
}

static int exit_code(enum zcmig_verdict verdict)
{
    switch (verdict) {
    case ZCMIG_VERDICT_WORKS:
        return ZC_EXIT_DONE;
    case ZCMIG_VERDICT_COPIES:
        return ZC_EXIT_COPIES;
    case ZCMIG_VERDICT_UNKNOWN:
        break;
    }
    return ZC_EXIT_FAILED;
}

static bool read_options(const struct doctor_text *text, struct zcmig_doctor_options *options,
                         GError **error)
{
    if (text->probe && !options->destination) {
        g_set_error(error, ZCMIG_ERROR, ZCMIG_ERROR_USAGE, "--probe: allowed with DEST only");
        return false;
    }
    if (text->duration && (options->destination || !text->trace)) {
        g_set_error(error, ZCMIG_ERROR, ZCMIG_ERROR_USAGE,
                    "--duration: allowed with --trace and without DEST only");
        return false;
    }
    options->probe = text->probe;
    options->trace = text->trace;
    return zc_option_size(text->bandwidth, "--bandwidth", &options->bandwidth, error) &&
           read_rtt(text->rtt, &options->rtt_ns, error) &&
           zc_option_seconds(text->duration, "--duration", false, &options->trace_ms, error) &&
           zc_option_seconds(text->stall_timeout, "--stall-timeout", false,
                             &options->stall_timeout_ms, error);
}

/* atomic: set in run, read in the handler */
static _Atomic int wake_fd = -1;

static void on_signal(int number)
{
    const uint64_t one = 1;
    int saved_errno = errno;

    if (number == SIGINT) {
        signal(number, SIG_DFL); /* who insists at the terminal kills; timeout(1) says TERM twice */
    }
    if (write(atomic_load(&wake_fd), &one, sizeof(one)) < 0) {
        _exit(ZC_EXIT_CANCELLED);
    }
    errno = saved_errno;
}

/* A probe and a trace are ended in order by a signal: nothing is left in the kernel. */
static zcmig_diagnosis *run(struct zcmig_doctor_options *options, GError **error)
{
    static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
    const struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

    if (!options->probe && !options->trace) {
        return zcmig_doctor_run(options, error);
    }
    options->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    atomic_store(&wake_fd, options->wake_fd);
    for (size_t i = 0; i < G_N_ELEMENTS(signals); i++) {
        sigaction(signals[i], &action, NULL);
    }
    zcmig_diagnosis *diagnosis = zcmig_doctor_run(options, error);
    for (size_t i = 0; i < G_N_ELEMENTS(signals); i++) {
        signal(signals[i], SIG_DFL);
    }
    close(options->wake_fd);
    return diagnosis;
}

static int doctor(const struct doctor_text *text, const char *destination)
{
    struct zcmig_doctor_options options;
    g_autoptr(zcmig_diagnosis) diagnosis = NULL;
    g_autoptr(GError) error = NULL;
    unsigned int n_paths;

    zcmig_doctor_options_init(&options);
    options.destination = destination;
    if (read_options(text, &options, &error)) {
        diagnosis = run(&options, &error);
    }
    if (!diagnosis) {
        return zc_cli_fail(usage.command, error);
    }
    if (text->json) {
        print_json(diagnosis, text->trace);
    } else {
        const struct zcmig_path *paths = zcmig_diagnosis_get_paths(diagnosis, &n_paths);
        for (unsigned int i = 0; i < n_paths; i++) {
            print_path(&paths[i], i);
        }
        if (text->trace) {
            print_trace(diagnosis);
        }
    }
    return exit_code(zcmig_diagnosis_get_verdict(diagnosis));
}

int zc_cmd_doctor(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    struct doctor_text text = { 0 };
    const GOptionEntry entries[] = {
        { "bandwidth", 0, 0, G_OPTION_ARG_STRING, &text.bandwidth,
          "What the link shall carry, for example 10G/s (default: the device's speed)", "RATE" },
        { "rtt", 0, 0, G_OPTION_ARG_STRING, &text.rtt,
          "Round trip to DEST in milliseconds, to say how much must be in flight", "MS" },
        { "probe", 0, 0, G_OPTION_ARG_NONE, &text.probe,
          "Send 2 MiB to DEST and read from the kernel what became of them", NULL },
        { "trace", 0, 0, G_OPTION_ARG_NONE, &text.trace,
          "Show where in the kernel pages are copied, during a probe or for a while (root)", NULL },
        { "duration", 0, 0, G_OPTION_ARG_STRING, &text.duration,
          "Without DEST: trace for so long (default: 10)", "SECONDS" },
        { "stall-timeout", 0, 0, G_OPTION_ARG_STRING, &text.stall_timeout,
          "Give a probe up when DEST takes nothing for so many seconds (default: 5)", "SECONDS" },
        { "json", 0, 0, G_OPTION_ARG_NONE, &text.json, "Print one JSON object", NULL },
        { NULL, 0, 0, 0, NULL, NULL, NULL },
    };
    int code = ZC_EXIT_DONE;

    switch (zc_options_parse(&usage, entries, NULL, argc, argv, &error)) {
    case ZC_PARSED_RUN:
        code = doctor(&text, argv[1]); /* NULL when DEST was left out */
        break;
    case ZC_PARSED_WRONG:
        code = zc_cli_fail(usage.command, error);
        break;
    case ZC_PARSED_HELP:
        break;
    }
    g_free(text.bandwidth);
    g_free(text.rtt);
    g_free(text.stall_timeout);
    g_free(text.duration);
    return code;
}
