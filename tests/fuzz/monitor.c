/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What QEMU's monitor prints for people, and reads as a client of QMP: whatever it says. */
#include "config.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz/fuzz.h"
#include "guest/qemu-text.h"
#include "guest/qemu.h"

#define ANSWER_MS 1000
#define SAID_BYTES_MAX 16384 /* what a socket takes at once */

static void check_blocks(const char *text)
{
    g_autoptr(GArray) blocks = g_array_new(FALSE, FALSE, sizeof(struct zc_qemu_block));
    GError *error = NULL;
    bool good = zc_qemu_text_blocks(text, blocks, &error);

    ZC_MUST(good == (error == NULL));
    for (guint i = 0; good && i < blocks->len; i++) {
        const struct zc_qemu_block *block = &g_array_index(blocks, struct zc_qemu_block, i);
        ZC_MUST(*block->name && memchr(block->name, '\0', sizeof(block->name)));
        ZC_MUST(block->used_bytes <= block->total_bytes);
        ZC_MUST(block->host <= block->host + block->total_bytes);
    }
    g_clear_error(&error);
}

static void check_layout(const char *text)
{
    g_autoptr(GArray) pieces = g_array_new(FALSE, FALSE, sizeof(struct zc_qemu_piece));
    GError *error = NULL;
    bool good = zc_qemu_text_layout(text, pieces, &error);

    ZC_MUST(good == (error == NULL));
    for (guint i = 0; good && i < pieces->len; i++) {
        const struct zc_qemu_piece *piece = &g_array_index(pieces, struct zc_qemu_piece, i);
        ZC_MUST(piece->bytes && memchr(piece->region, '\0', sizeof(piece->region)));
        ZC_MUST(piece->guest_address + (piece->bytes - 1) >= piece->guest_address);
    }
    g_clear_error(&error);
}

/* A monitor that says @text and goes away: an answer or an error, and no event twice. */
static void check_client(const char *text, size_t length)
{
    struct zc_qemu_progress progress;
    GError *error = NULL;
    int pair[2];

    ZC_MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    ZC_MUST(send(pair[1], text, MIN(length, SAID_BYTES_MAX), MSG_NOSIGNAL | MSG_DONTWAIT) >= 0);
    shutdown(pair[1], SHUT_WR);
    struct zc_qmp *qmp = zc_qmp_new(pair[0], zc_deadline_in(ANSWER_MS), -1, &error);
    ZC_MUST((qmp == NULL) == (error != NULL));
    g_clear_error(&error);
    if (qmp) {
        bool good = zc_qemu_query_progress(qmp, zc_deadline_in(ANSWER_MS), &progress, &error);
        ZC_MUST(good == (error == NULL));
        ZC_MUST(!good || memchr(progress.status, '\0', sizeof(progress.status)));
        g_clear_error(&error);
        JsonObject *event = zc_qmp_wait_event(qmp, "STOP", zc_deadline_in(ANSWER_MS), NULL);
        g_clear_pointer(&event, json_object_unref);
        while ((event = zc_qmp_take_event(qmp))) {
            json_object_unref(event);
        }
    }
    zc_qmp_free(qmp);
    close(pair[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    g_autofree char *text = g_strndup((const char *)bytes, length);

    check_blocks(text);
    check_layout(text);
    if (length) {
        check_client((const char *)bytes, length);
    }
    return 0;
}
