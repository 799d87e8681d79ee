/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <check.h>
#include <string.h>

#include "lib/channel-rig.h"

void rig_fill(struct rig *rig, uint8_t round)
{
    for (size_t page = 0; page < RIG_PAGES; page++) {
        uint8_t *at = rig->memory + page * RIG_PAGE_BYTES;
        memset(at, round, RIG_PAGE_BYTES);
        memcpy(at, &page, sizeof(page));
    }
}

void rig_init_engine(struct rig *rig, const struct fake_options *options,
                     struct zc_channel_options channel_options)
{
    *rig = (struct rig){ .fake = fake_kernel_new(options) };
    rig->net = fake_kernel_net(rig->fake);
    rig->memory = g_malloc(RIG_PAGES * RIG_PAGE_BYTES);
    rig->expected = g_byte_array_new();
    rig_fill(rig, 1);
    zc_budget_init_from(&rig->budget,
                        options->memlock_pages == FAKE_NEVER ? ZC_BUDGET_UNLIMITED
                                                             : options->memlock_pages * 4096,
                        options->optmem_bytes);
    channel_options.budget = &rig->budget;
    channel_options.wake_fd = FAKE_WAKE_FD;
    channel_options.first_serial = options->first_serial;
    rig->channel = zc_channel_new(FAKE_FD, &rig->net, &channel_options);
    ck_assert_ptr_nonnull(rig->channel);
}

void rig_init(struct rig *rig, const struct fake_options *options, enum zc_zerocopy_mode mode,
              uint32_t copied_limit, uint32_t probe_packets)
{
    rig_init_engine(rig, options,
                    (struct zc_channel_options){ .mode = mode,
                                                 .copied_limit = copied_limit,
                                                 .probe_packets = probe_packets });
}

void rig_clear(struct rig *rig)
{
    zc_channel_free(rig->channel);
    ck_assert_uint_eq(rig->budget.held_pages, 0);
    fake_kernel_free(rig->fake);
    g_byte_array_unref(rig->expected);
    g_free(rig->memory);
}

int rig_send_runs(struct rig *rig, size_t header_bytes, const struct iovec *runs,
                  unsigned int n_runs, zc_deadline deadline)
{
    g_autofree struct iovec *before = g_memdup2(runs, n_runs * sizeof(*runs));
    uint8_t *header;
    int ret = zc_channel_header(rig->channel, &header, deadline);

    if (ret < 0) {
        return ret;
    }
    ck_assert_uint_eq((uintptr_t)header % 4096, 0);
    for (size_t i = 0; i < header_bytes; i++) {
        header[i] = (uint8_t)(rig->packets * 131 + i);
    }
    g_byte_array_append(rig->expected, header, (guint)header_bytes);
    for (unsigned int i = 0; i < n_runs; i++) {
        g_byte_array_append(rig->expected, runs[i].iov_base, (guint)runs[i].iov_len);
    }
    rig->packets++;
    ret = zc_channel_send(rig->channel, header_bytes, runs, n_runs, deadline);
    if (n_runs > 0) {
        ck_assert_msg(memcmp(before, runs, n_runs * sizeof(*runs)) == 0, "runs were changed");
    }
    return ret;
}

int rig_send(struct rig *rig, unsigned int pages, int64_t ms)
{
    struct iovec run = { rig->memory, (size_t)pages * RIG_PAGE_BYTES };

    return rig_send_runs(rig, 1344, &run, 1, zc_deadline_after(rig->fake->now_ns, ms));
}

void rig_send_ok(struct rig *rig, unsigned int packets, unsigned int pages)
{
    for (unsigned int i = 0; i < packets; i++) {
        ck_assert_int_eq(rig_send(rig, pages, 10000), 0);
    }
}

int rig_drain(struct rig *rig, int64_t ms)
{
    return zc_channel_drain(rig->channel, zc_deadline_after(rig->fake->now_ns, ms));
}

struct zc_channel_counters rig_counters(struct rig *rig)
{
    struct zc_channel_counters counters;

    zc_channel_counters(rig->channel, &counters);
    return counters;
}

/* libcheck writes a line about each assertion that holds, so there is one for all bytes. */
static void check_stream(const GByteArray *got, const GByteArray *sent)
{
    guint at = 0;

    if (memcmp(got->data, sent->data, sent->len) != 0) {
        while (got->data[at] == sent->data[at]) {
            at++;
        }
        ck_abort_msg("byte %u of the stream: got %#x, sent %#x", at, got->data[at], sent->data[at]);
    }
}

void rig_check(struct rig *rig)
{
    const struct fake_truth *truth = &rig->fake->truth;
    struct zc_channel_counters counters = rig_counters(rig);

    ck_assert_uint_eq(rig->fake->stream->len, rig->expected->len);
    check_stream(rig->fake->stream, rig->expected);
    ck_assert_uint_eq(counters.packets, rig->packets);
    ck_assert_uint_eq(counters.wire_bytes, rig->expected->len);
    ck_assert_uint_eq(counters.zerocopy.bytes + counters.copy_bytes + counters.splice_bytes,
                      counters.wire_bytes);
    ck_assert_uint_eq(counters.zerocopy.calls, truth->calls);
    ck_assert_uint_eq(counters.zerocopy.completed, truth->calls);
    ck_assert_uint_eq(counters.copy_calls, truth->plain_calls);
    ck_assert_uint_eq(counters.splice_calls, truth->splices);
    ck_assert_uint_le(counters.zerocopy.copied_min, truth->copied_calls);
    ck_assert_uint_ge(counters.zerocopy.copied_max, truth->copied_calls);
    ck_assert_uint_le(counters.zerocopy.notes, truth->notes_queued);
    ck_assert_uint_eq(counters.enobufs_optmem + counters.enobufs_memlock,
                      truth->enobufs_optmem + truth->enobufs_memlock);
    ck_assert_uint_eq(rig->budget.held_pages, 0);
}

void rig_finish(struct rig *rig)
{
    ck_assert_int_eq(rig_drain(rig, 10000), 0);
    rig_check(rig);
    rig_clear(rig);
}
