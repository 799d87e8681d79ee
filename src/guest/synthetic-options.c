/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/size.h"
#include "guest/synthetic.h"

#define USAGE ZCMIG_ERROR_USAGE

/* How people and programs spell one key's value. */
struct key {
    const char *name;
    bool (*set)(struct zc_synthetic_options *options, const char *value, GError **error);
};

static bool parse_fraction(const char *key, const char *text, uint32_t *ppm_out, GError **error)
{
    char *end = NULL;
    double fraction = g_ascii_isdigit(text[0]) || text[0] == '.' ? g_ascii_strtod(text, &end) : -1;

    if (!end || *end || !(fraction >= 0 && fraction <= 1)) {
        return zc_error(error, USAGE, "guest: %s: got '%s', allowed is a fraction from 0 to 1", key,
                        text);
    }
    *ppm_out = (uint32_t)lround(fraction * ZC_SYNTHETIC_PPM);
    return true;
}

static bool parse_number(const char *key, const char *text, uint64_t min, uint64_t max,
                         uint64_t *number_out, GError **error)
{
    if (!g_ascii_string_to_unsigned(text, 10, min, max, number_out, NULL)) {
        return zc_error(error, USAGE,
                        "guest: %s: got '%s', allowed is a number from %" G_GUINT64_FORMAT
                        " to %" G_GUINT64_FORMAT,
                        key, text, min, max);
    }
    return true;
}

static bool set_dirty(struct zc_synthetic_options *options, const char *value, GError **error)
{
    if (g_str_equal(value, "max")) {
        options->dirty_bytes = ZC_SYNTHETIC_DIRTY_MAX;
        return true;
    }
    return zc_size_parse(value, "guest: dirty", &options->dirty_bytes, error);
}

static bool set_pattern(struct zc_synthetic_options *options, const char *value, GError **error)
{
    static const char *const names[] = {
        [ZC_SYNTHETIC_SEQ] = "seq", [ZC_SYNTHETIC_RANDOM] = "random", [ZC_SYNTHETIC_ZIPF] = "zipf"
    };

    for (unsigned int i = 0; i < G_N_ELEMENTS(names); i++) {
        if (g_str_equal(value, names[i])) {
            options->pattern = (enum zc_synthetic_pattern)i;
            return true;
        }
    }
    if (!g_str_has_prefix(value, "hot:")) {
        return zc_error(error, USAGE,
                        "guest: pattern: got '%s', allowed are seq, random, zipf, hot:FRACTION",
                        value);
    }
    options->pattern = ZC_SYNTHETIC_HOT;
    return parse_fraction("pattern=hot", value + strlen("hot:"), &options->hot_ppm, error);
}

static bool set_fill(struct zc_synthetic_options *options, const char *value, GError **error)
{
    if (g_str_equal(value, "random")) {
        options->zero_ppm = 0;
        return true;
    }
    if (!g_str_has_prefix(value, "zero:")) {
        return zc_error(error, USAGE, "guest: fill: got '%s', allowed are random, zero:FRACTION",
                        value);
    }
    return parse_fraction("fill=zero", value + strlen("zero:"), &options->zero_ppm, error);
}

static bool set_writers(struct zc_synthetic_options *options, const char *value, GError **error)
{
    uint64_t number = 0;

    if (!parse_number("writers", value, 1, ZC_SYNTHETIC_WRITERS_MAX, &number, error)) {
        return false;
    }
    options->writers = (uint32_t)number;
    return true;
}

static bool set_seed(struct zc_synthetic_options *options, const char *value, GError **error)
{
    return parse_number("seed", value, 0, UINT64_MAX, &options->seed, error);
}

static bool set_memory(struct zc_synthetic_options *options, const char *value, GError **error)
{
    options->memfd = g_str_equal(value, "memfd");
    return options->memfd || g_str_equal(value, "private") ||
           zc_error(error, USAGE, "guest: memory: got '%s', allowed are private, memfd", value);
}

static const struct key keys[] = {
    { "dirty", set_dirty },     { "pattern", set_pattern }, { "fill", set_fill },
    { "writers", set_writers }, { "seed", set_seed },       { "memory", set_memory },
};

static bool set_word(struct zc_synthetic_options *options, const char *word, GError **error)
{
    const char *equals = strchr(word, '=');

    if (g_str_equal(word, "hugepages")) {
        options->hugepages = true;
        return true;
    }
    for (unsigned int i = 0; equals && i < G_N_ELEMENTS(keys); i++) {
        size_t length = strlen(keys[i].name);
        if ((size_t)(equals - word) == length && strncmp(word, keys[i].name, length) == 0) {
            return keys[i].set(options, equals + 1, error);
        }
    }
    return zc_error(error, USAGE,
                    "guest: got '%s', allowed are dirty=, pattern=, fill=, writers=, seed=, "
                    "memory=, hugepages",
                    word);
}

bool zc_synthetic_options_check(const struct zc_synthetic_options *options, int code,
                                GError **error)
{
    enum zcmig_error_code error_code = (enum zcmig_error_code)code;

    if (options->writers < 1 || options->writers > ZC_SYNTHETIC_WRITERS_MAX) {
        return zc_error(error, error_code, "guest: got %u writers, allowed are 1 to %u",
                        options->writers, ZC_SYNTHETIC_WRITERS_MAX);
    }
    if (options->size_bytes % ZC_PAGE_BYTES != 0 || options->size_bytes > ZC_SYNTHETIC_BYTES_MAX ||
        options->size_bytes / ZC_PAGE_BYTES < options->writers) {
        return zc_error(error, error_code,
                        "guest: got a size of %" G_GUINT64_FORMAT
                        " bytes, allowed are multiples of %u, a page for each writer, 16T at most",
                        options->size_bytes, ZC_PAGE_BYTES);
    }
    if ((unsigned int)options->pattern > ZC_SYNTHETIC_HOT || options->hot_ppm > ZC_SYNTHETIC_PPM ||
        options->zero_ppm > ZC_SYNTHETIC_PPM ||
        (options->pattern == ZC_SYNTHETIC_HOT && options->hot_ppm == 0)) {
        return zc_error(error, error_code,
                        "guest: got pattern %u, hot %u, zero %u, allowed are patterns to %u and "
                        "fractions to %u, of hot above 0",
                        (unsigned int)options->pattern, options->hot_ppm, options->zero_ppm,
                        ZC_SYNTHETIC_HOT, ZC_SYNTHETIC_PPM);
    }
    return true;
}

bool zc_synthetic_options_parse(const char *uri, struct zc_synthetic_options *options_out,
                                GError **error)
{
    struct zc_synthetic_options options = { .pattern = ZC_SYNTHETIC_RANDOM,
                                            .writers = 1,
                                            .seed = 1 };

    if (!g_str_has_prefix(uri, "guest:")) {
        return zc_error(error, USAGE, "guest: got '%s', allowed is guest:SIZE[,KEY=VALUE...]", uri);
    }
    g_auto(GStrv) words = g_strsplit(uri + strlen("guest:"), ",", -1);
    if (!zc_size_parse(words[0] ? words[0] : "", "guest: size", &options.size_bytes, error)) {
        return false;
    }
    for (unsigned int i = 1; words[i]; i++) {
        if (!set_word(&options, words[i], error)) {
            return false;
        }
    }
    if (!zc_synthetic_options_check(&options, USAGE, error)) {
        return false;
    }
    *options_out = options;
    return true;
}
