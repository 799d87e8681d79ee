/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The doctor of the fake library: its diagnosis is what $ZC_FAKE says (works, unknown, copies, or
 * lost for no route), with a tap whose process has a hostile name.
 */
#include "config.h"

#include <stdio.h>

#include <zcmig/doctor.h>

struct zcmig_diagnosis {
    enum zcmig_verdict verdict;
};

static const struct zcmig_tap tap = {
    .process = "evil\033[2J",
    .pid = 412,
    .n_owners = 1,
    .user = "root",
    .inode = 4711,
    .interface = "eth0",
    .protocol = 3,
    .netns = 4026531840,
    .own_netns = true,
};

static const struct zcmig_finding findings[] = {
    { .effect = ZCMIG_EFFECT_COPIES,
      .cause = "packet-tap",
      .device = "eth0",
      .summary = "evil\033[2J listens",
      .evidence = "PID 412",
      .remedy = "stop it",
      .missing_right = "CAP_SYS_PTRACE",
      .tap = &tap },
    { .effect = ZCMIG_EFFECT_NOTE,
      .cause = "optmem",
      .device = "",
      .summary = "78.50 MiB",
      .evidence = "",
      .remedy = "",
      .missing_right = "" },
};

static struct zcmig_path paths[] = {
    { .destination = "",
      .address = "",
      .device = "eth0",
      .findings = findings,
      .n_findings = 2,
      .probe = { .calls = 64, .completed = 64, .copied_min = 1, .copied_max = 2, .trouble = "" } },
    { .destination = "",
      .address = "",
      .device = "eth1",
      .findings = findings + 1,
      .n_findings = 1 },
};

const char *zcmig_verdict_name(enum zcmig_verdict verdict)
{
    return verdict == ZCMIG_VERDICT_WORKS    ? "works"
           : verdict == ZCMIG_VERDICT_COPIES ? "copies"
                                             : "unknown";
}

const char *zcmig_effect_name(enum zcmig_effect effect)
{
    return effect == ZCMIG_EFFECT_NOTE ? "note" : "copies";
}

void zcmig_doctor_options_init(struct zcmig_doctor_options *options)
{
    *options = (struct zcmig_doctor_options){ .trace_ms = 10000, .stall_timeout_ms = 5000 };
}

zcmig_diagnosis *zcmig_doctor_run(const struct zcmig_doctor_options *options, GError **error)
{
    static const char *const outcomes[] = { "works", "unknown", "copies" };

    if (g_getenv("ZC_FAKE_ECHO")) {
        fprintf(stderr,
                "destination=%s bandwidth=%" G_GUINT64_FORMAT " rtt_ns=%" G_GINT64_FORMAT
                " probe=%d trace=%d trace_ms=%" G_GINT64_FORMAT " stall_ms=%" G_GINT64_FORMAT "\n",
                options->destination ? options->destination : "(none)", options->bandwidth,
                options->rtt_ns, options->probe, options->trace, options->trace_ms,
                options->stall_timeout_ms);
    }
    for (unsigned int i = 0; i < G_N_ELEMENTS(outcomes); i++) {
        if (g_strcmp0(g_getenv("ZC_FAKE"), outcomes[i]) == 0) {
            zcmig_diagnosis *diagnosis = g_new0(zcmig_diagnosis, 1);
            diagnosis->verdict = paths[0].verdict = (enum zcmig_verdict)i;
            paths[0].probed = options->probe;
            return diagnosis;
        }
    }
    g_set_error(error, ZCMIG_ERROR, ZCMIG_ERROR_CONNECT, "no route to 192.0.2.1");
    return NULL;
}

void zcmig_diagnosis_free(zcmig_diagnosis *diagnosis)
{
    g_free(diagnosis);
}

enum zcmig_verdict zcmig_diagnosis_get_verdict(const zcmig_diagnosis *diagnosis)
{
    return diagnosis->verdict;
}

const struct zcmig_path *zcmig_diagnosis_get_paths(const zcmig_diagnosis *diagnosis,
                                                   unsigned int *n_out)
{
    (void)diagnosis;
    *n_out = G_N_ELEMENTS(paths);
    return paths;
}

bool zcmig_diagnosis_get_releases(const zcmig_diagnosis *diagnosis, uint64_t *copied_out,
                                  uint64_t *not_copied_out)
{
    (void)diagnosis;
    *copied_out = 7;
    *not_copied_out = 5;
    return true;
}

const struct zcmig_stack *zcmig_diagnosis_get_stacks(const zcmig_diagnosis *diagnosis,
                                                     unsigned int *n_out)
{
    static const char *const by_send[] = { "skb_copy_ubufs", "dev_queue_xmit_nit", "sendmsg",
                                           NULL };
    static const char *const by_ack[] = { "skb_copy_ubufs", "dev_queue_xmit_nit", "tcp_ack", NULL };
    static const char *const by_whom[] = { "skb_copy_ubufs", "mystery", NULL };
    static const struct zcmig_stack stacks[] = {
        { "copy", 4, "packet-tap", "a tap", by_send },
        { "copy", 3, "packet-tap", "a tap", by_ack },
        { "copy", 2, "", "", by_whom },
    };

    (void)diagnosis;
    *n_out = G_N_ELEMENTS(stacks);
    return stacks;
}
