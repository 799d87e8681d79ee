/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The switchover: the guest stands still from the first line to the last.
 *
 * Design: the hand-over is a commit in two steps.  READY says that the
 * destination could run the guest; RUN gives it away.  The destination runs it
 * only when it has all of RUN, so while writing RUN fails the guest is still
 * ours; once it is written, it is not any more, unless the destination says by
 * itself that it failed before it ran it.
 *
 * Every step's time is a difference of the same clock readings, so the parts
 * sum up to the whole.  What the destination did in the meantime it says in
 * READY; its share is cut out of the wait for it.
 */
#include "config.h"

#include <errno.h>

#include "base/error.h"
#include "session/digest.h"
#include "session/precopy.h"
#include "wire/stream.h"

#define PAUSE_MS 10000
#define GUEST_SECTION 3

/* -------------------------------------------------------------------- steps */

static bool stop(struct zc_precopy *precopy)
{
    struct zc_outgoing *out = precopy->out;
    GError *error = NULL;
    int ret = precopy->source->live->pause(precopy->source, zc_deadline_in(PAUSE_MS));

    if (ret == 0) {
        zc_precopy_set_guest(precopy, ZCMIG_GUEST_PAUSED);
        return true;
    }
    zc_error(&error, ret == -ETIMEDOUT ? ZCMIG_ERROR_TIMEOUT : ZCMIG_ERROR_SOURCE,
             "the guest does not stop within %d ms, so it stays at the source", PAUSE_MS);
    zc_outgoing_fail(out, error);
    return false;
}

/* The longest that a channel has spent draining. */
static int64_t drained_ns(struct zc_outgoing *out)
{
    struct zc_sender_counters counters;
    int64_t longest_ns = 0;

    for (unsigned int i = 0; i < out->options.channels; i++) {
        zc_sender_get_counters(out->sender, i, &counters);
        longest_ns = MAX(longest_ns, counters.channel.drain_ns);
    }
    return longest_ns;
}

/* The last pages, which end the RAM; by the route memfd there are none. */
static bool send_last_pages(struct zc_precopy *precopy, int64_t *drain_ns_out)
{
    struct zc_outgoing *out = precopy->out;
    int64_t drained_before_ns = drained_ns(out);

    zc_stream_put_section_end(out->out, zc_outgoing_ram_section_id(out));
    if (out->sender && (!zc_precopy_put_pages(precopy, false) || !zc_outgoing_sync_channels(out))) {
        return false;
    }
    *drain_ns_out = drained_ns(out) - drained_before_ns;
    zc_stream_put_ram_eos(out->out);
    zc_stream_put_section_footer(out->out, zc_outgoing_ram_section_id(out));
    return true;
}

/* The guest's execution state, and the end of the stream as QEMU knows it. */
static bool send_state(struct zc_precopy *precopy)
{
    struct zc_outgoing *out = precopy->out;
    GError *error = NULL;
    g_autoptr(GBytes) state = precopy->source->live->save_state(precopy->source, &error);

    if (!state) {
        zc_outgoing_fail(out, error);
        return false;
    }
    size_t length;
    const void *bytes = g_bytes_get_data(state, &length);
    uint32_t length_be = GUINT32_TO_BE((uint32_t)length);
    g_autofree char *description = g_strdup_printf(
        "{\"page_size\": 4096, \"devices\": [{\"name\": \"%s\", \"instance_id\": 0, "
        "\"vmsd_name\": \"%s\", \"version\": %u, \"fields\": ["
        "{\"name\": \"length\", \"type\": \"uint32\", \"size\": 4}, "
        "{\"name\": \"state\", \"type\": \"buffer\", \"size\": %zu}]}]}",
        ZC_STREAM_GUEST_NAME, ZC_STREAM_GUEST_NAME, ZC_STREAM_GUEST_VERSION, length);

    zc_stream_put_section_full(out->out, GUEST_SECTION, ZC_STREAM_GUEST_NAME, 0,
                               ZC_STREAM_GUEST_VERSION);
    g_byte_array_append(out->out, (const guint8 *)&length_be, sizeof(length_be));
    g_byte_array_append(out->out, bytes, (guint)length);
    zc_stream_put_section_footer(out->out, GUEST_SECTION);
    zc_stream_put_eof(out->out);
    zc_stream_put_description(out->out, description);
    return zc_outgoing_flush(out);
}

/* The manifest, when the guest has to wait for the verdict. */
static bool verify_before(struct zc_precopy *precopy, int64_t *took_ns_out)
{
    struct zc_outgoing *out = precopy->out;
    int64_t begin_ns = zc_clock_now_ns();
    GError *error = NULL;

    *took_ns_out = 0;
    if (out->options.verify != ZCMIG_VERIFY_BEFORE) {
        return true;
    }
    zc_manifest_free(out->manifest); /* of a switchover that was cut */
    out->manifest = zc_digest_source(precopy->source, zc_digest_threads(), &error);
    if (!out->manifest) {
        zc_outgoing_fail(out, error);
        return false;
    }
    if (!zc_outgoing_send_manifest(out) || !zc_outgoing_hear_result(out)) {
        return false;
    }
    *took_ns_out = zc_clock_now_ns() - begin_ns;
    return true;
}

/* ---------------------------------------------------------------- hand-over */

static void report_doubt(struct zc_outgoing *out)
{
    static const char text[] = "the destination was told to run the guest and did not answer: it "
                               "may run there, so it stays paused here";

    /* There is none yet when it just is silent. */
    zc_outgoing_fail(out, g_error_new_literal(ZCMIG_ERROR, ZCMIG_ERROR_DISCONNECTED, text));
    zc_cause_replace(&out->session.cause,
                     g_error_new_literal(ZCMIG_ERROR, ZCMIG_ERROR_DISCONNECTED, text));
}

/* When the destination said that it runs the guest; 0: reported. */
static int64_t hand_over(struct zc_precopy *precopy)
{
    struct zc_outgoing *out = precopy->out;
    struct zc_extension run = { .type = ZC_EXTENSION_RUN };
    int64_t shut_ns = 0;

    zc_outgoing_put_extension(out, &run);
    if (zc_cause_is_set(&out->session.cause) || !zc_outgoing_flush(out)) {
        return 0;
    }
    zc_precopy_set_guest(precopy, ZCMIG_GUEST_IN_DOUBT);
    switch (
        zc_return_path_wait_handed(out->return_path, zc_outgoing_stall_deadline(out), &shut_ns)) {
    case ZC_HANDED_OVER:
        zc_precopy_set_guest(precopy, ZCMIG_GUEST_GONE);
        return shut_ns;
    case ZC_HANDED_REFUSED: {
        GError *reason =
            zc_return_path_linger(out->return_path, zc_deadline_in(ZC_OUTGOING_LAST_WORDS_MS));
        zc_outgoing_fail(out, reason);
        zc_precopy_set_guest(precopy, ZCMIG_GUEST_PAUSED);
        return 0;
    }
    case ZC_HANDED_UNKNOWN:
    default:
        report_doubt(out);
        return 0;
    }
}

/* Cuts the wait of @wait_ns for READY into its parts. */
static void share_out(struct zcmig_downtime *downtime, int64_t wait_ns, int64_t verify_ns,
                      const struct zc_extension *ready)
{
    downtime->verify_ns = MIN(verify_ns, wait_ns);
    wait_ns -= downtime->verify_ns;
    downtime->barrier_ns = MIN((int64_t)ready->ready.barrier_ns, wait_ns);
    downtime->device_state_ns = wait_ns - downtime->barrier_ns;
}

void zc_precopy_finish_downtime(struct zc_precopy *precopy, int64_t shut_ns)
{
    struct zc_outgoing *out = precopy->out;
    struct zcmig_downtime *downtime = &precopy->downtime;

    shut_ns = MAX(shut_ns, precopy->ready_ns);
    downtime->resume_ns = shut_ns - precopy->ready_ns;
    downtime->actual_ns = shut_ns - precopy->paused_ns;
    atomic_store(&out->session.transferred_ns, shut_ns);
    g_mutex_lock(&out->lock);
    out->live.downtime = *downtime;
    g_mutex_unlock(&out->lock);
}

bool zc_precopy_switch_over(struct zc_precopy *precopy)
{
    struct zc_outgoing *out = precopy->out;
    struct zcmig_downtime *downtime = &precopy->downtime;
    struct zc_extension ready;
    int64_t verify_ns;

    *downtime = (struct zcmig_downtime){ .estimate_ns = precopy->converge.estimate_ns };
    precopy->paused_ns = zc_clock_now_ns();
    if (!stop(precopy)) {
        return false;
    }
    int64_t stopped_ns = zc_clock_now_ns();
    if (precopy->tracker && !zc_precopy_harvest(precopy)) {
        return false;
    }
    int64_t harvested_ns = zc_clock_now_ns();
    if (!send_last_pages(precopy, &downtime->drain_ns)) {
        return false;
    }
    int64_t sent_ns = zc_clock_now_ns();
    if (!send_state(precopy) || !verify_before(precopy, &verify_ns)) {
        return false;
    }
    precopy->ready_ns = zc_return_path_wait_extension(out->return_path, ZC_EXTENSION_READY,
                                                      zc_outgoing_stall_deadline(out), &ready);
    if (!precopy->ready_ns) {
        return false;
    }
    downtime->stop_ns = stopped_ns - precopy->paused_ns;
    downtime->last_harvest_ns = harvested_ns - stopped_ns;
    downtime->drain_ns = MIN(downtime->drain_ns, sent_ns - harvested_ns);
    downtime->last_send_ns = sent_ns - harvested_ns - downtime->drain_ns;
    share_out(downtime, precopy->ready_ns - sent_ns, verify_ns, &ready);
    int64_t shut_ns = hand_over(precopy);
    if (!shut_ns) {
        return false;
    }
    zc_precopy_finish_downtime(precopy, shut_ns);
    return true;
}
