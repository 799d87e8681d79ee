/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest without a system, whose memory proves itself: it boots in no time,
 * uses no interrupts and no page tables, and notices every page that came back
 * as it was earlier.
 *
 * Memory from 4 MiB on is swept, page after page.  A page begins with the
 * number of the sweep that wrote it last and ends with that number times the
 * page's own; the words between are filled once.  A page that does not hold
 * what the sweep before left there was lost, torn or misplaced:
 *
 *     ready                            memory is filled
 *     TICK n sweep s                   ten times a second of the guest's time
 *     LOST page p: got a and b, allowed c and d
 *     RESTS                            nothing is written from here on
 *
 * It listens to its keyboard: r lets it rest, so that it runs and writes to
 * no memory, not even a stack; w lets it write again.
 *
 * Command line: fill=MIB (32)  rate=MIB-PER-SECOND (16; 0: as fast as it can)
 */
#include <stdint.h>

#define COM1 0x3f8
#define KEYBOARD_DATA 0x60
#define KEYBOARD_STATUS 0x64
#define KEY_R 0x13 /* scan codes, translated as the firmware leaves it */
#define KEY_W 0x11
#define PIT 0x40
#define PIT_HZ 1193182u
#define PAGE_WORDS 1024u
#define PAGES_PER_MIB 256u
#define BASE 0x400000u
#define TICK_MS 100u
#define LOST_SHOWN 10u

void guest_main(const uint32_t *boot);

struct sweep {
    uint32_t n_pages;
    uint32_t page;   /* next */
    uint32_t number; /* of this sweep; the pages hold the one before */
    uint32_t lost;
};

/* ------------------------------------------------------------------ machine */

static void out8(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline uint8_t in8(uint16_t port)
{
    uint8_t value;

    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static void put(char c)
{
    while (!(in8(COM1 + 5) & 0x20)) {
    }
    out8(COM1, (uint8_t)c);
}

static void put_text(const char *text)
{
    while (*text) {
        put(*text++);
    }
}

static void put_number(uint32_t number)
{
    char digits[10];
    int n = 0;

    do {
        digits[n++] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    while (n) {
        put(digits[--n]);
    }
}

/* The timer counts down from 65536 at PIT_HZ and starts over; it is asked often enough. */
static void timer_start(void)
{
    out8(PIT + 3, 0x34);
    out8(PIT, 0);
    out8(PIT, 0);
}

static uint32_t timer_count(void)
{
    out8(PIT + 3, 0);
    uint32_t low = in8(PIT);
    return low | (uint32_t)in8(PIT) << 8;
}

/* Milliseconds since the first call. */
static uint32_t clock_ms(void)
{
    static uint32_t last, counts, ms;
    uint32_t count = timer_count();

    counts += (last - count) & 0xffff;
    last = count;
    while (counts >= PIT_HZ / 1000) {
        counts -= PIT_HZ / 1000;
        ms++;
    }
    return ms;
}

/* The next byte of the keyboard; 0: it has none. */
static inline uint8_t key(void)
{
    return in8(KEYBOARD_STATUS) & 1 ? in8(KEYBOARD_DATA) : 0;
}

/* In registers only: what a QEMU that loses dirty pages cannot spoil. */
static void rest(void)
{
    put_text("RESTS\n");
    while (key() != KEY_W) {
        for (uint32_t i = 0; i < 10000; i++) {
            __asm__ volatile("pause");
        }
    }
}

/* ------------------------------------------------------------------- memory */

static volatile uint32_t *page_at(uint32_t page)
{
    return (volatile uint32_t *)(BASE + page * PAGE_WORDS * 4);
}

static uint32_t seal(uint32_t page, uint32_t number)
{
    return (number + 1) * (2 * page + 1);
}

static void fill(uint32_t n_pages)
{
    uint32_t x = 2463534242u;

    for (uint32_t page = 0; page < n_pages; page++) {
        volatile uint32_t *words = page_at(page);
        for (uint32_t i = 1; i < PAGE_WORDS - 1; i++) {
            x ^= x << 13;
            x ^= x >> 17;
            x ^= x << 5;
            words[i] = x;
        }
        words[0] = 0;
        words[PAGE_WORDS - 1] = seal(page, 0);
    }
}

static void report_lost(uint32_t page, uint32_t got_first, uint32_t got_last, uint32_t number)
{
    put_text("LOST page ");
    put_number(page);
    put_text(": got ");
    put_number(got_first);
    put_text(" and ");
    put_number(got_last);
    put_text(", allowed ");
    put_number(number);
    put_text(" and ");
    put_number(seal(page, number));
    put('\n');
}

static void sweep_page(struct sweep *sweep)
{
    volatile uint32_t *words = page_at(sweep->page);
    uint32_t before = sweep->number - 1;
    uint32_t first = words[0], last = words[PAGE_WORDS - 1];

    if (first != before || last != seal(sweep->page, before)) {
        if (sweep->lost++ < LOST_SHOWN) {
            report_lost(sweep->page, first, last, before);
        }
    }
    words[0] = sweep->number;
    words[PAGE_WORDS - 1] = seal(sweep->page, sweep->number);
    if (++sweep->page == sweep->n_pages) {
        sweep->page = 0;
        sweep->number++;
    }
}

/* --------------------------------------------------------------------- main */

/* The number behind @name, which ends in '=', on the command line. */
static uint32_t argument(const char *line, const char *name, uint32_t otherwise)
{
    for (; *line; line++) {
        const char *at = line, *wanted = name;
        while (*wanted && *at == *wanted) {
            at++;
            wanted++;
        }
        if (!*wanted) {
            uint32_t number = 0;
            while (*at >= '0' && *at <= '9') {
                number = number * 10 + (uint32_t)(*at++ - '0');
            }
            return number;
        }
    }
    return otherwise;
}

static void tick(const struct sweep *sweep)
{
    static uint32_t n;

    put_text("TICK ");
    put_number(++n);
    put_text(" sweep ");
    put_number(sweep->number);
    put_text(sweep->lost ? " lost " : "");
    if (sweep->lost) {
        put_number(sweep->lost);
    }
    put('\n');
}

void guest_main(const uint32_t *boot)
{
    /* Multiboot information: word 0 has flags, bit 2 of which says that word 4 is the line. */
    const char *line = boot[0] & 4 ? (const char *)boot[4] : "";
    uint32_t rate = argument(line, "rate=", 16);
    struct sweep sweep = { argument(line, "fill=", 32) * PAGES_PER_MIB, 0, 1, 0 };

    fill(sweep.n_pages);
    put_text("ready\n");
    timer_start();

    uint32_t then = clock_ms(), ticked = then, owed = 0;
    for (;;) {
        uint32_t now = clock_ms();
        uint32_t pages = PAGES_PER_MIB; /* unpaced: between two looks at the clock */
        if (rate) {
            owed += (now - then) * rate * PAGES_PER_MIB;
            pages = owed / 1000;
            owed %= 1000;
        }
        then = now;
        while (pages--) {
            sweep_page(&sweep);
        }
        if (key() == KEY_R) {
            rest();
            then = clock_ms();
            ticked = then;
            owed = 0;
            continue;
        }
        if (now - ticked >= TICK_MS) {
            ticked += TICK_MS;
            tick(&sweep);
        }
    }
}
