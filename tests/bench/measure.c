/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * measure [--port=N] [--end-receiver] [--timeout=S] -- RECEIVER... -- SENDER...
 *
 * Runs a receiver and, once it listens, a sender; prints one line of JSON with
 * the time from the sender's start until both have ended, the CPU time of each
 * (with all the processes it waited for) and the peak of each one's anonymous
 * memory, which is its memory beyond the image: images are files on tmpfs and
 * count as shared.
 *
 * Design: whether the receiver listens is read from /proc/PID/net/tcp of its
 * own network namespace; connecting to find out would be taken for the sender.
 * A pair is over when both have ended: some senders end when the last byte is
 * in the socket buffer.  --end-receiver is for servers that never end by
 * themselves: they get SIGTERM when the sender, who knows that the copy is
 * whole, has ended.  Memory is sampled every 10 ms by one read per process.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SAMPLE_NS (10 * 1000000L)
#define LISTEN_POLL_NS (2 * 1000000L)
#define LISTEN_SECONDS 10
#define TCP_LISTEN_STATE 0x0a

struct process {
    char **argv;
    pid_t pid;
    bool ended;
    int status;
    struct rusage usage;
    unsigned long anon_kib_max;
};

static double now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Ends early when a child ends, so that the time taken is not rounded up to a sample. */
static void pause_ns(long ns)
{
    struct timespec ts = { 0, ns };
    sigset_t child;

    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigtimedwait(&child, NULL, &ts);
}

static void block_sigchld(int how)
{
    sigset_t child;

    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(how, &child, NULL);
}

static bool start(struct process *process)
{
    process->pid = fork();
    if (process->pid == 0) {
        block_sigchld(SIG_UNBLOCK);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        /* stdout is for the measurement; what went wrong is said on stderr */
        dup2(open("/dev/null", O_WRONLY), STDOUT_FILENO);
        execvp(process->argv[0], process->argv);
        perror(process->argv[0]);
        _exit(127);
    }
    return process->pid > 0;
}

static void reap(struct process *process)
{
    if (!process->ended && process->pid > 0 &&
        wait4(process->pid, &process->status, WNOHANG, &process->usage) == process->pid) {
        process->ended = true;
    }
}

/* The process must be gone when this returns. */
static void end(struct process *process)
{
    if (process->pid > 0 && !process->ended) {
        kill(process->pid, SIGKILL);
        wait4(process->pid, &process->status, 0, &process->usage);
        process->ended = true;
    }
}

/* RssAnon of the process and of its direct children (a server that forks per connection). */
static unsigned long anon_kib(pid_t pid)
{
    char path[64], line[256];
    unsigned long kib = 0;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof(line), file)) {
        if (sscanf(line, "RssAnon: %lu", &kib) == 1) {
            break;
        }
    }
    if (file) {
        fclose(file);
    }
    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
    file = fopen(path, "re");
    int child;
    while (file && fscanf(file, "%d", &child) == 1) {
        kib += anon_kib(child);
    }
    if (file) {
        fclose(file);
    }
    return kib;
}

static void sample(struct process *process)
{
    reap(process);
    if (!process->ended) {
        unsigned long kib = anon_kib(process->pid);
        if (kib > process->anon_kib_max) {
            process->anon_kib_max = kib;
        }
    }
}

static bool listens_in(const char *path, unsigned int port)
{
    char line[512];
    unsigned int local_port, state;
    bool found = false;
    FILE *file = fopen(path, "re");

    while (file && !found && fgets(line, sizeof(line), file)) {
        found =
            sscanf(line, " %*d: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x", &local_port, &state) == 2 &&
            local_port == port && state == TCP_LISTEN_STATE;
    }
    if (file) {
        fclose(file);
    }
    return found;
}

static bool wait_listening(struct process *receiver, unsigned int port)
{
    char tcp[64], tcp6[64];
    double deadline = now() + LISTEN_SECONDS;

    snprintf(tcp, sizeof(tcp), "/proc/%d/net/tcp", (int)receiver->pid);
    snprintf(tcp6, sizeof(tcp6), "/proc/%d/net/tcp6", (int)receiver->pid);
    while (now() < deadline) {
        if (listens_in(tcp, port) || listens_in(tcp6, port)) {
            return true;
        }
        reap(receiver);
        if (receiver->ended) {
            fprintf(stderr, "measure: %s ended before it listened\n", receiver->argv[0]);
            return false;
        }
        pause_ns(LISTEN_POLL_NS);
    }
    fprintf(stderr, "measure: %s does not listen on port %u after %d s\n", receiver->argv[0], port,
            LISTEN_SECONDS);
    return false;
}

/* Until both have ended.  False at the deadline. */
static bool run_pair(struct process *receiver, struct process *sender, bool end_receiver,
                     double deadline)
{
    bool told = false;

    while (!receiver->ended || !sender->ended) {
        sample(receiver);
        sample(sender);
        if (sender->ended && end_receiver && !told) {
            kill(receiver->pid, SIGTERM);
            told = true;
        }
        if (now() > deadline) {
            fprintf(stderr, "measure: %s to %s: not done in time\n", sender->argv[0],
                    receiver->argv[0]);
            return false;
        }
        if (!receiver->ended || !sender->ended) {
            pause_ns(told ? LISTEN_POLL_NS : SAMPLE_NS);
        }
    }
    return true;
}

static double seconds(struct timeval tv)
{
    return (double)tv.tv_sec + (double)tv.tv_usec / 1e6;
}

static void print_process(const char *name, const struct process *process)
{
    printf(", \"%s\": {\"user_s\": %.4f, \"system_s\": %.4f, \"anon_kib\": %lu}", name,
           seconds(process->usage.ru_utime), seconds(process->usage.ru_stime),
           process->anon_kib_max);
}

static bool succeeded(const struct process *process, bool terminated)
{
    return (WIFEXITED(process->status) && WEXITSTATUS(process->status) == 0) ||
           (terminated && WIFSIGNALED(process->status) && WTERMSIG(process->status) == SIGTERM);
}

static char **split_at_dashes(char **argv)
{
    for (; *argv; argv++) {
        if (strcmp(*argv, "--") == 0) {
            *argv = NULL;
            return argv + 1;
        }
    }
    return NULL;
}

int main(int argc, char **argv)
{
    struct process receiver = { 0 }, sender = { 0 };
    unsigned int port = 0, timeout_s = 300;
    bool end_receiver = false;
    char **rest = split_at_dashes(argv);

    (void)argc;
    for (char **option = argv + 1; *option; option++) {
        if (strcmp(*option, "--end-receiver") == 0) {
            end_receiver = true;
        } else if (sscanf(*option, "--port=%u", &port) != 1 &&
                   sscanf(*option, "--timeout=%u", &timeout_s) != 1) {
            fprintf(stderr, "measure: unknown option '%s'\n", *option);
            return 2;
        }
    }
    receiver.argv = rest;
    sender.argv = rest ? split_at_dashes(rest) : NULL;
    if (!port || !sender.argv || !*sender.argv || !*receiver.argv) {
        fprintf(
            stderr,
            "usage: measure --port=N [--end-receiver] [--timeout=S] -- RECEIVER... -- SENDER...\n");
        return 2;
    }
    block_sigchld(SIG_BLOCK);
    bool done = start(&receiver) && wait_listening(&receiver, port);
    double begun = now();
    done = done && start(&sender) && run_pair(&receiver, &sender, end_receiver, begun + timeout_s);
    double wall = now() - begun;
    end(&sender);
    end(&receiver);
    done = done && succeeded(&sender, false) && succeeded(&receiver, end_receiver);
    printf("{\"ok\": %s, \"wall_s\": %.4f", done ? "true" : "false", wall);
    print_process("sender", &sender);
    print_process("receiver", &receiver);
    printf("}\n");
    return done ? 0 : 1;
}
