/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * seeds DIR: writes the corpus to DIR/TARGET/NAME, the same bytes on every run.
 * Names that begin with "bad-" are refused by the parser.  Findings of the
 * fuzzer are kept beside them as "finding-..." and are not made here.
 *
 * tests/fuzz/corpus-is-current compares the committed corpus with what this
 * writes, so a change of the wire's bytes does not go unseen.
 */
#include "config.h"

#include <string.h>

#include <zcmig/error.h>

#include "fuzz/captured.h"
#include "fuzz/fuzz.h"
#include "fuzz/samples.h"
#include "lib/fixture.h"
#include "mem/manifest.h"
#include "wire/bytes.h"
#include "wire/extension.h"
#include "wire/multifd.h"
#include "wire/stream.h"

#define SEED 20261122u
#define CAPTURED_BYTES_MAX 7000u /* of a seed that was recorded */

static const char *directory;

static char *seed_path(const char *target, const char *name)
{
    g_autofree char *folder = g_build_filename(directory, target, NULL);

    ZC_MUST(g_mkdir_with_parents(folder, 0777) == 0);
    return g_build_filename(folder, name, NULL);
}

static void write_seed(const char *target, const char *name, const void *bytes, size_t length)
{
    g_autofree char *path = seed_path(target, name);

    ZC_MUST(g_file_set_contents(path, bytes, (gssize)length, NULL));
}

static void write_array(const char *target, const char *name, GByteArray *bytes)
{
    write_seed(target, name, bytes->data, bytes->len);
    g_byte_array_unref(bytes);
}

/* ----------------------------------------------------------------- multifd */

struct multifd_seed {
    uint8_t init[ZC_MULTIFD_INIT_BYTES];
    uint8_t header[ZC_MULTIFD_HEADER_BYTES];
    uint8_t used_bytes[8];
};

static struct multifd_seed multifd_seed(uint32_t flags, uint32_t n_normal, uint32_t n_zero)
{
    struct zc_multifd_init init = { .uuid = { 0xca, 0xfe }, .channel = 3 };
    struct zc_multifd_packet packet = {
        .flags = flags, .n_normal = n_normal, .n_zero = n_zero, .packet_num = 42, .block = "pc.ram"
    };
    struct multifd_seed seed;

    for (uint32_t i = 0; i < n_normal + n_zero; i++) {
        packet.offsets[i] = (uint64_t)i * 2 * ZC_WIRE_PAGE_BYTES;
    }
    zc_multifd_init_encode(&init, seed.init);
    zc_multifd_packet_encode(&packet, seed.header);
    zc_set_u64(seed.used_bytes, UINT64_C(1) << 20);
    return seed;
}

static const struct {
    const char *name;
    size_t at; /* in the header */
    uint32_t value;
} broken_headers[] = {
    { "stale-7.2", 20, 0x80000 },    { "bad-magic", 0, 0x16030100 },
    { "bad-version", 4, 2 },         { "bad-zlib", 8, 0x02 },
    { "bad-device-state", 8, 0x40 }, { "bad-flag", 8, 0x80 },
    { "bad-alloc", 12, 129 },        { "bad-normal", 16, 129 },
    { "bad-zero", 32, 0xffffffff },  { "bad-name", 64, 0 },
    { "bad-offset", 324, 0x801 },    { "beyond-the-block", 320, 0x10000000 },
};

static void write_multifd(void)
{
    struct multifd_seed seed = multifd_seed(0, 3, 2);

    write_seed("multifd", "pages", &seed, sizeof(seed));
    write_seed("multifd", "bad-cut", &seed, 90);
    for (size_t i = 0; i < G_N_ELEMENTS(broken_headers); i++) {
        seed = multifd_seed(ZC_MULTIFD_SYNC, 2, 1);
        zc_set_u32(seed.header + broken_headers[i].at, broken_headers[i].value);
        write_seed("multifd", broken_headers[i].name, &seed, sizeof(seed));
    }
    seed = multifd_seed(0, ZC_MULTIFD_PAGES, 0);
    write_seed("multifd", "full", &seed, sizeof(seed));
    seed = multifd_seed(ZC_MULTIFD_SYNC, 0, 0);
    write_seed("multifd", "sync", &seed, sizeof(seed));
    memset(seed.header + 64, 0xee, sizeof(seed.header) - 64);
    write_seed("multifd", "sync-stale-7.2", &seed, sizeof(seed));
}

/* -------------------------------------------------------------------- tail */

#define DEVICES(list) "{\"page_size\": 4096, \"devices\": [" list "]}"
#define DEVICE(rest) DEVICES("{\"name\": \"d\", \"instance_id\": 0" rest "}")

/* One device section of eight bytes of state, and a description of it. */
static const struct {
    const char *name;
    const char *description;
} tails[] = {
    { "field", DEVICE(", \"fields\": [{\"name\": \"x\", \"type\": \"int64\", \"size\": 8}]") },
    { "array", DEVICE(", \"fields\": [{\"array_len\": 4, \"size\": 2}]") },
    { "subsection", DEVICE(", \"subsections\": [{\"vmsd_name\": \"s\", \"fields\": "
                           "[{\"size\": 1}]}]") },
    { "nested", DEVICE(", \"fields\": [{\"struct\": {\"subsections\": []}, \"size\": 8}]") },
    { "bad-early", DEVICES("{\"name\": \"e\"}, {\"name\": \"d\", \"fields\": [{\"size\": 8}]}") },
    { "bad-size", DEVICE(", \"fields\": [{\"size\": 9}]") },
    { "bad-overflow", DEVICE(", \"fields\": [{\"size\": 9223372036854775799, "
                             "\"array_len\": 4}]") },
    { "bad-name", DEVICES("{\"name\": \"\\\"\"}") },
    { "bad-more", DEVICES("{\"name\": \"d\", \"fields\": [{\"size\": 8}]}, {\"name\": \"e\"}") },
    { "bad-json", "{\"devices\": [[[[[[" },
};

static void write_tails(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(tails); i++) {
        GByteArray *bytes = g_byte_array_new();
        zc_append_u8(bytes, ZC_SECTION_FULL);
        zc_append_u32(bytes, 7);
        zc_append_name(bytes, "d");
        zc_append_u64(bytes, 1); /* instance and version */
        zc_append_u64(bytes, 0);
        zc_append_u8(bytes, 0x7e);
        zc_append_u32(bytes, 7);
        zc_append_u16(bytes, 6); /* EOF, and the description's mark */
        zc_append_u32(bytes, (uint32_t)strlen(tails[i].description));
        g_byte_array_append(bytes, (const guint8 *)tails[i].description,
                            (guint)strlen(tails[i].description));
        write_array("tail", tails[i].name, bytes);
    }
}

/* ------------------------------------------------------------------ stream */

#define RAW(bytes) bytes, sizeof(bytes) - 1

/* What is appended to a START with its list; the first of them ends it, PART begins. */
static const struct {
    const char *name;
    const char *bytes;
    size_t length;
} broken_records[] = {
    { "bad-record", RAW("\0\0\0\0\0\0\0\1") },
    { "bad-xbzrle", RAW("\0\0\0\0\0\0\x10\x40") },
    { "bad-rdma", RAW("\0\0\0\0\0\0\0\x80") },
    { "bad-compress", RAW("\0\0\0\0\0\0\1\0") },
    { "bad-continue", RAW("\0\0\0\0\0\0\0\x28") },
    { "bad-block", RAW("\0\0\0\0\0\0\0\x8\1c") },
    { "bad-offset", RAW("\0\0\0\0\0\1\0\x8\3mem") },
    { "bad-fill", RAW("\0\0\0\0\0\0\0\2\3mem\1") },
    { "bad-footer", RAW("\0\0\0\0\0\0\0\x10\x7e\0\0\0\3") },
};

static GByteArray *stream_with_ram_list(uint64_t total_bytes)
{
    GByteArray *bytes = g_byte_array_new();

    zc_stream_put_header(bytes);
    zc_stream_put_configuration(bytes, "none");
    zc_stream_put_section_start(bytes, 2, "ram", 0, 4);
    zc_stream_put_ram_size(bytes, total_bytes);
    zc_stream_put_ram_block(bytes, "mem", 0x10000);
    return bytes;
}

static GByteArray *configured(const char *subsection, const char *data, guint length)
{
    GByteArray *bytes = g_byte_array_new();

    zc_stream_put_header(bytes);
    zc_stream_put_configuration(bytes, "pc");
    if (subsection) {
        zc_sample_put_subsection(bytes, subsection, data, length);
    }
    return bytes;
}

static void write_broken_streams(void)
{
    GByteArray *bytes;

    for (size_t i = 0; i < G_N_ELEMENTS(broken_records); i++) {
        bytes = stream_with_ram_list(0x10000);
        g_byte_array_append(bytes, (const uint8_t *)broken_records[i].bytes,
                            (guint)broken_records[i].length);
        write_array("stream", broken_records[i].name, bytes);
    }
    bytes = stream_with_ram_list(0x20000);
    zc_stream_put_ram_block(bytes, "mem", 0x10000);
    write_array("stream", "bad-block-twice", bytes);
    bytes = stream_with_ram_list(0x20000);
    zc_stream_put_ram_block(bytes, "more", 0x20000);
    write_array("stream", "bad-sum", bytes);
    bytes = stream_with_ram_list(UINT64_C(1) << 40);
    write_array("stream", "bad-total", bytes);
    bytes = configured("configuration/target-page-bits", RAW("\0\0\0\x10"));
    write_array("stream", "bad-page-bits", bytes);
    bytes = configured("configuration/capabilities", RAW("\0\0\0\1\12mapped-ram"));
    write_array("stream", "bad-mapped-ram", bytes);
    bytes = configured("configuration/nothing", RAW(""));
    write_array("stream", "bad-subsection", bytes);
    bytes = configured(NULL, NULL, 0);
    zc_stream_put_section_start(bytes, 3, "dirty-bitmap", 0, 1);
    write_array("stream", "bad-dirty-bitmap", bytes);
    bytes = configured(NULL, NULL, 0);
    zc_stream_put_command(bytes, 99, NULL, 0);
    write_array("stream", "bad-command", bytes);
    bytes = configured(NULL, NULL, 0);
    zc_stream_put_command(bytes, ZC_COMMAND_PACKAGED, "\xff\xff\xff\xff", 4);
    write_array("stream", "bad-package", bytes);
    write_seed("stream", "bad-magic", RAW("\x16\3\1\0\0\0\0\0"));
    write_seed("stream", "bad-machine", RAW("QEVM\0\0\0\3\7\xff\xff\xff\xff"));
}

static void write_stream(void)
{
    GRand *rand = g_rand_new_with_seed(SEED);

    write_array("stream", "qemu-multifd", zc_sample_qemu_multifd());
    write_array("stream", "plain", zc_sample_plain());
    write_array("stream", "zcmig", zc_sample_zcmig());
    write_array("stream", "commands", zc_sample_configuration_and_commands());
    write_array("stream", "random", zc_sample_random(rand));
    g_rand_free(rand);
    write_broken_streams();
}

/* ------------------------------------------------- return path, extensions */

static void write_return_path(void)
{
    GByteArray *bytes = g_byte_array_new();

    zc_return_put_u32(bytes, ZC_RETURN_PONG, ZC_HELLO_PING | ZC_EXTENSION_VERSION);
    zc_return_put_u32(bytes, ZC_RETURN_PONG, ZC_HELLO_PONG | ZC_EXTENSION_VERSION);
    zc_return_put(bytes, ZC_RETURN_SWITCHOVER_ACK, NULL, 0);
    zc_return_put_u32(bytes, ZC_RETURN_SHUT, 0);
    zc_return_put(bytes, ZC_RETURN_EXTENSION, "\5\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0", 17);
    write_array("return-path", "precopy", bytes);
    bytes = g_byte_array_new();
    zc_return_put(bytes, ZC_RETURN_REQ_PAGES_ID, "\0\0\0\0\0\0\x10\0\0\0\x10\0\3mem", 16);
    zc_return_put(bytes, ZC_RETURN_REQ_PAGES, "\0\0\0\0\0\0\x10\0\0\0\x10\0", 12);
    zc_return_put_u32(bytes, ZC_RETURN_RESUME_ACK, 1);
    write_array("return-path", "postcopy", bytes);
    write_seed("return-path", "bad-type", RAW("\0\0\0\4\0\0\0\0"));
    write_seed("return-path", "bad-length", RAW("\0\1\0\5\0\0\0\0\0"));
    write_seed("return-path", "bad-recv-bitmap", RAW("\0\5\0\4\3mem"));
    write_seed("return-path", "bad-name", RAW("\0\3\0\x10\0\0\0\0\0\0\x10\0\0\0\x10\0\4mem"));
    write_seed("return-path", "bad-extension-length", RAW("\x7a\x63\xff\xff"));
}

static void write_extension(const char *name, const struct zc_extension *message)
{
    GByteArray *bytes = g_byte_array_new();

    zc_extension_put(bytes, message);
    write_array("extension", name, bytes);
}

/* Of routes on one host, and of sessions that are kept. */
static void write_extensions_of_live_guests(void)
{
    struct zc_extension message;

    message =
        (struct zc_extension){ .type = ZC_EXTENSION_MEMORY,
                               .memory = { .n_blocks = 2, .blocks = { { 1, 2 }, { 3, 4 } } } };
    write_extension("memory", &message);
    message.type = ZC_EXTENSION_MAPPED;
    write_extension("mapped", &message);
    message = (struct zc_extension){
        .type = ZC_EXTENSION_SESSION,
        .session = { .live = true, .route = ZC_SESSION_ROUTE_MEMFD },
    };
    write_extension("session-memfd", &message);
    message = (struct zc_extension){ .type = ZC_EXTENSION_KEEP,
                                     .keep = { .secret = "secret", .seconds = 60 } };
    write_extension("keep", &message);
    message = (struct zc_extension){
        .type = ZC_EXTENSION_RESUME,
        .resume = { .uuid = "uuid", .secret = "secret", .token = "token" },
    };
    write_extension("resume", &message);
    message = (struct zc_extension){ .type = ZC_EXTENSION_RESUMED,
                                     .resumed = { .runs = 1, .ran_ns = 5, .barriers = 3 } };
    write_extension("resumed", &message);
    message = (struct zc_extension){ .type = ZC_EXTENSION_HEARD };
    write_extension("heard", &message);
    write_seed("extension", "bad-resumed", RAW("\15\2aaaaaaaabbbbbbbb"));
}

static void write_extensions(void)
{
    static const uint8_t digests[24] = { 1, 2, 3, 4, 5, 6, 7, 8 };
    struct zc_extension message = {
        .type = ZC_EXTENSION_SESSION,
        .session = { .n_channels = 8, .verify = ZC_VERIFY_AFTER, .exact_bytes = 12345 }
    };

    write_extension("session", &message);
    message.session.live = true;
    write_extension("session-live", &message);
    message.session.route = ZC_SESSION_ROUTE_PULL;
    message.session.n_bases = 2;
    message.session.bases = digests;
    write_extension("session-pull", &message);
    message = (struct zc_extension){
        .type = ZC_EXTENSION_MANIFEST,
        .manifest = { .block = 1, .first_page = 8000, .n_digests = 3, .digests = digests }
    };
    write_extension("manifest", &message);
    message = (struct zc_extension){ .type = ZC_EXTENSION_MANIFEST_END,
                                     .manifest_end = { .n_pages = 8003 } };
    write_extension("manifest-end", &message);
    message = (struct zc_extension){ .type = ZC_EXTENSION_FAIL,
                                     .fail = { .code = ZCMIG_ERROR_OUTPUT, .text = "disk full" } };
    write_extension("fail", &message);
    strcpy(message.fail.text, "\033[2J");
    write_extension("fail-with-control-characters", &message);
    message = (struct zc_extension){ .type = ZC_EXTENSION_RESULT,
                                     .result = { .n_pages = 100, .n_wrong = 1, .text = "mem" } };
    write_extension("result", &message);
    message = (struct zc_extension){ .type = ZC_EXTENSION_READY,
                                     .ready = { .barrier_ns = 1, .load_ns = 2, .verify_ns = 3 } };
    write_extension("ready", &message);
    message = (struct zc_extension){ .type = ZC_EXTENSION_RUN };
    write_extension("run", &message);
    message = (struct zc_extension){ .type = ZC_EXTENSION_OBSERVED,
                                     .observed = { .writes = 1234, .gap_ns = 29000000 } };
    write_extension("observed", &message);
    write_extensions_of_live_guests();
    write_seed("extension", "bad-type", RAW("\177"));
    write_seed("extension", "bad-memory", RAW("\11short"));
    write_seed("extension", "bad-empty", RAW(""));
    write_seed("extension", "bad-session", RAW("\1short"));
    write_seed("extension", "bad-verify", RAW("\1aaaaaaaaaaaaaaaa\0\1\3\0\0\0\0\0\0\0\0\0\0"));
    write_seed("extension", "bad-count", RAW("\2\0\0\0\0\0\0\0\0\0\0\0\0\xff\xff\xff\xff"));
    write_seed("extension", "bad-first-page",
               RAW("\2\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\1aaaaaaaa"));
    write_seed("extension", "bad-code", RAW("\4\x7f"));
}

/* ------------------------------------------------ early devices, the monitor */

static void write_early(void)
{
    write_seed("early", "part", RAW("\1state\x7e\0\0\0\x27\2\0\0\0\1\0\0\0\0\0\0\0\x10"));
    write_seed("early", "end", RAW("\1state\x7e\0\0\0\x27\3\0\0\0\1\0\0\0\0\0\0\2\0"));
    write_seed("early", "section",
               RAW("\1state\x7e\0\0\0\x27\4\0\0\0\x29\1d\0\0\0\0\0\0\0\1"));
    write_seed("early", "command", RAW("\1state\x7e\0\0\0\x27\x8\0\x0b\0\0"));
    write_seed("early", "start",
               RAW("\0state\x7e\0\0\0\x27\1\0\0\0\1\3ram\0\0\0\0\0\0\0\4"));
    write_seed("early", "bad-imitation", RAW("\1st\x7e\0\0\0\x27\2\0\0\0\1ate"));
    write_seed("early", "bad-cut", RAW("\1state\x7e\0\0\0\x27"));
}

#define MONITOR_GREETING "{\"QMP\": {\"version\": {\"qemu\": {\"major\": 10}}}}\r\n"
#define MONITOR_STOP "{\"event\": \"STOP\", \"data\": {}}\r\n"

static void write_monitor(void)
{
    write_seed("monitor", "blocks",
               RAW("  Block Name    PSize  Offset  Used  Total  HVA  RO\r\n"
                   "  pc.ram  4 KiB  0x0 0x3000000 0x3000000 0x7f94dce00000  rw\r\n"
                   "          4 KiB  0x0 0x1000 0x1000 0x7f94dce00000  ro\r\n"));
    write_seed("monitor", "layout",
               RAW("FlatView #1\r\n AS \"memory\", root: system\r\n"
                   "  0000000000000000-000000000009ffff (prio 0, ram): pc.ram\r\n"
                   "  0000000100000000-000000017fffffff (prio 0, ram): pc.ram "
                   "@00000000c0000000 KVM\r\n"));
    write_seed("monitor", "client",
               RAW(MONITOR_GREETING "{\"return\": {}, \"id\": 1}\r\n" MONITOR_STOP
                                    "{\"return\": {\"status\": \"active\", \"ram\": {\"total\": 7}}, "
                                    "\"id\": 2}\r\n" MONITOR_STOP));
    write_seed("monitor", "client-refused",
               RAW(MONITOR_GREETING "{\"return\": {}, \"id\": 1}\r\n{\"id\": 2, \"error\": "
                                    "{\"class\": \"GenericError\", \"desc\": \"no\"}}\r\n"));
    write_seed("monitor", "bad-greeting", RAW("{\"QMP\": {\"version\": 7}}\r\n"));
    write_seed("monitor", "bad-answer", RAW(MONITOR_GREETING "{\"id\": \"1\"}\r\n[1]\r\n"));
    write_seed("monitor", "bad-cut", RAW(MONITOR_GREETING "{\"return\": {"));
}

/* ---------------------------------------------------- manifests, addresses */

static void write_manifests(void)
{
    g_autofree char *path = seed_path("manifest", "two-blocks");
    g_autofree char *bytes = NULL;
    struct zc_ram ram;
    gsize length;

    zc_ram_init(&ram);
    ZC_MUST(zc_ram_add(&ram, "pc.ram", NULL, 4 * ZC_PAGE_BYTES, NULL) == 0);
    ZC_MUST(zc_ram_add(&ram, "pc.bios", NULL, 2 * ZC_PAGE_BYTES, NULL) == 1);
    struct zc_manifest *manifest = zc_manifest_new(&ram, NULL);
    manifest->blocks[0].digests[2] = ZC_DIGEST_ZERO_PAGE;
    manifest->blocks[1].digests[0] = 1;
    ZC_MUST(zc_manifest_save(manifest, path, NULL));
    zc_manifest_free(manifest);
    zc_ram_clear(&ram);

    ZC_MUST(g_file_get_contents(path, &bytes, &length, NULL));
    write_seed("manifest", "bad-cut", bytes, length - 9);
    bytes[length - 1] ^= 1; /* which the target puts right again */
    write_seed("manifest", "bad-check-sum", bytes, length);
    bytes[11] = 2;
    write_seed("manifest", "partial", bytes, length);
    bytes[11] = 3;
    write_seed("manifest", "bad-version", bytes, length);
    bytes[11] = 1;
    bytes[13] = 1;
    write_seed("manifest", "bad-blocks", bytes, length);
    bytes[13] = 0;
    bytes[32] = 0x7f; /* the number of pages of the first block */
    write_seed("manifest", "bad-pages", bytes, length);
    write_seed("manifest", "bad-magic", RAW("ZCMIGMAM\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0aaaaaaaa"));
    write_seed("manifest", "empty", RAW("ZCMIGMAN\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0aaaaaaaa"));
}

static const struct {
    const char *name;
    const char *uri;
} addresses[] = {
    { "tcp", "tcp:localhost:4444" },
    { "tcp-ipv4", "tcp:127.0.0.1:0" },
    { "tcp-ipv6", "tcp:[fe80::1%eth0]:65535" },
    { "tcp-any", "tcp::4444" },
    { "unix", "unix:/run/zcmig.sock" },
    { "vsock", "vsock:3:4444" },
    { "vsock-host", "vsock:host:1" },
    { "vsock-any", "vsock:any:0" },
    { "fd", "fd:7" },
    { "null", "null:" },
    { "bad-scheme", "rdma:host:1" },
    { "bad-port", "tcp:host:65536" },
    { "bad-sign", "tcp:host:-1" },
    { "bad-ipv6", "tcp:::1:4444" },
    { "bad-bracket", "tcp:[::1:4444" },
    { "bad-path", "unix:" },
    { "bad-cid", "vsock:4294967296:1" },
    { "bad-fd", "fd:x" },
    { "bad-null", "null:x" },
};

/* ---------------------------------------------------------------- captured */

/* Of each channel what comes first: an init packet, and headers with their payload left out. */
static void write_captured_channel(const char *name, const char *file, size_t n_packets_max)
{
    g_autoptr(GByteArray) stream = zc_fixture_load(file);
    size_t at = ZC_MULTIFD_INIT_BYTES;

    for (size_t i = 0; i < n_packets_max && at + ZC_MULTIFD_HEADER_BYTES <= stream->len; i++) {
        struct multifd_seed seed;
        struct zc_multifd_packet packet;
        g_autofree char *numbered = g_strdup_printf("%s-%zu", name, i);

        memcpy(seed.init, stream->data, sizeof(seed.init));
        memcpy(seed.header, stream->data + at, sizeof(seed.header));
        zc_set_u64(seed.used_bytes, UINT64_C(1) << 20);
        write_seed("multifd", numbered, &seed, sizeof(seed));
        ZC_MUST(zc_multifd_packet_decode(seed.header, &packet, NULL));
        at += ZC_MULTIFD_HEADER_BYTES + packet.n_normal * (size_t)ZC_WIRE_PAGE_BYTES;
    }
}

static void write_captured(void)
{
    for (size_t i = 0; i < ZC_FIXTURE_STREAMS; i++) {
        const char *name = zc_fixture_streams[i].name;
        g_autofree char *main_file = g_strconcat(name, ".main.gz", NULL);

        write_array("stream", name, zc_captured_stream(main_file, CAPTURED_BYTES_MAX));
        write_array("tail", name, zc_captured_tail(main_file, CAPTURED_BYTES_MAX));
        for (unsigned int k = 0; k < zc_fixture_streams[i].n_channels; k++) {
            g_autofree char *channel = g_strdup_printf("%s-channel-%u", name, k);
            g_autofree char *file = g_strdup_printf("%s.channel-%u.gz", name, k);
            write_captured_channel(channel, file, 3);
        }
    }
}

/* --------------------------------------------------------------------- tap */

/* What arrives at a relay: a stream's number, a length and so many bytes of it. */
static void put_arrival(GByteArray *out, uint8_t stream, const void *bytes, size_t length)
{
    for (size_t at = 0; at < length;) {
        size_t part = MIN(length - at, UINT16_MAX);

        g_byte_array_append(out, &stream, 1);
        zc_append_u16(out, (uint16_t)part);
        g_byte_array_append(out, (const uint8_t *)bytes + at, (guint)part);
        at += part;
    }
}

static void write_tap(void)
{
    static const uint8_t page[ZC_PAGE_BYTES] = { 1 };
    g_autoptr(GByteArray) main_stream = zc_sample_qemu_multifd();
    g_autoptr(GByteArray) plain = zc_sample_plain();
    struct multifd_seed seed = multifd_seed(ZC_MULTIFD_SYNC, 1, 1);
    GByteArray *bytes = g_byte_array_new();

    put_arrival(bytes, 0, plain->data, plain->len);
    write_array("tap", "plain", bytes);
    bytes = g_byte_array_new();
    put_arrival(bytes, 0, main_stream->data, main_stream->len);
    put_arrival(bytes, 1, seed.init, sizeof(seed.init) + sizeof(seed.header));
    put_arrival(bytes, 1, page, sizeof(page));
    put_arrival(bytes, 2, seed.init, sizeof(seed.init) + 100);
    write_array("tap", "channels", bytes);
    bytes = g_byte_array_new();
    seed.header[0] ^= 1;
    put_arrival(bytes, 0, main_stream->data, main_stream->len / 2);
    put_arrival(bytes, 0, main_stream->data + main_stream->len / 2,
                main_stream->len - main_stream->len / 2);
    put_arrival(bytes, 2, seed.init, sizeof(seed.init) + sizeof(seed.header));
    write_array("tap", "bad-packet", bytes);
    bytes = g_byte_array_new();
    put_arrival(bytes, 0, RAW("QEVM\0\0\0\4"));
    write_array("tap", "bad-version", bytes);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: seeds DIR\n");
        return 2;
    }
    directory = argv[1];
    write_multifd();
    write_tails();
    write_stream();
    write_captured();
    write_return_path();
    write_extensions();
    write_manifests();
    write_early();
    write_monitor();
    write_tap();
    for (size_t i = 0; i < G_N_ELEMENTS(addresses); i++) {
        write_seed("address", addresses[i].name, addresses[i].uri, strlen(addresses[i].uri));
    }
    return EXIT_SUCCESS;
}
