/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The demo of an image: the RAM of a real guest under QEMU, streamed and compared. */
#ifndef ZC_TOOLS_DEMO_IMAGE_H
#define ZC_TOOLS_DEMO_IMAGE_H

#include <stdint.h>

#include <glib.h>

struct zc_demo_image_options {
    uint64_t memory_mib;
    unsigned int channels;
    gboolean keep; /* the two images */
    gboolean json;
    gboolean quiet;
};

/* All of it, printed; the exit code. */
int zc_demo_image_run(const struct zc_demo_image_options *options);

#endif
