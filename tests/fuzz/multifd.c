/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An init packet, a header, and the length of a block (8 bytes); missing bytes are 0. */
#include "config.h"

#include <string.h>

#include "fuzz/fuzz.h"
#include "wire/bytes.h"
#include "wire/multifd.h"

struct input {
    uint8_t init[ZC_MULTIFD_INIT_BYTES];
    uint8_t header[ZC_MULTIFD_HEADER_BYTES];
    uint8_t used_bytes[8];
};

static void run_init(const uint8_t *bytes)
{
    struct zc_multifd_init init, again;
    uint8_t encoded[ZC_MULTIFD_INIT_BYTES];

    if (zc_multifd_init_decode(bytes, &init, NULL)) {
        zc_multifd_init_encode(&init, encoded);
        ZC_MUST(zc_multifd_init_decode(encoded, &again, NULL));
        ZC_MUST(memcmp(&init, &again, sizeof(init)) == 0);
        ZC_MUST(memcmp(bytes, encoded, 25) == 0); /* all but the reserved bytes */
    }
}

static void run_packet(const uint8_t *bytes, uint64_t used_bytes)
{
    struct zc_multifd_packet packet, again;
    uint8_t encoded[ZC_MULTIFD_HEADER_BYTES];
    GError *error = NULL;

    if (!zc_multifd_packet_decode(bytes, &packet, &error)) {
        ZC_MUST(error && g_utf8_validate(error->message, -1, NULL));
        g_error_free(error);
        return;
    }
    ZC_MUST(packet.n_normal <= ZC_MULTIFD_PAGES);
    ZC_MUST(packet.n_zero <= ZC_MULTIFD_PAGES - packet.n_normal);
    ZC_MUST((packet.block[0] == '\0') == (packet.n_normal + packet.n_zero == 0));
    zc_multifd_packet_encode(&packet, encoded);
    ZC_MUST(zc_multifd_packet_decode(encoded, &again, NULL));
    ZC_MUST(memcmp(&packet, &again, sizeof(packet)) == 0);
    if (zc_multifd_packet_check(&packet, used_bytes, NULL)) {
        for (uint32_t i = 0; i < packet.n_normal + packet.n_zero; i++) {
            ZC_MUST(packet.offsets[i] < used_bytes &&
                    used_bytes - packet.offsets[i] >= ZC_WIRE_PAGE_BYTES);
        }
    }
}

/* The same header in a session of the route pull. */
static void run_pull_packet(const uint8_t *bytes)
{
    struct zc_multifd_packet packet;
    GError *error = NULL;

    if (!zc_multifd_packet_decode_pull(bytes, &packet, &error)) {
        ZC_MUST(error && g_utf8_validate(error->message, -1, NULL));
        g_error_free(error);
        return;
    }
    ZC_MUST((packet.flags & ZC_MULTIFD_PULL) == (packet.n_normal ? ZC_MULTIFD_PULL : 0));
    ZC_MUST(packet.n_normal <= ZC_MULTIFD_PAGES);
    ZC_MUST(packet.n_zero <= ZC_MULTIFD_PAGES - packet.n_normal);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct input *input = g_new0(struct input, 1);

    memcpy(input, bytes, MIN(length, sizeof(*input)));
    run_init(input->init);
    run_packet(input->header, zc_get_u64(input->used_bytes));
    run_pull_packet(input->header);
    g_free(input);
    return 0;
}
