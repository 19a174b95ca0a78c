/* What c1m's heartbeats are measured against: a bare C epoll client that does the same, and a C echo server for both.
 *
 *   cc -O2 -o heartbeat heartbeat.c
 *   ./heartbeat serve PROCESSES                                    # until its stdin closes
 *   ./heartbeat beat PROCESSES PER_PROCESS INTERVAL_MS SECONDS     # against that server, on this machine
 *
 * "serve" has one port for each process, from FIRST_PORT on, and echoes what it reads. "beat" opens PER_PROCESS connections
 * to each, and then sends 64 bytes over every connection once an interval, each at a phase of its own, reads the echo,
 * compares it byte for byte and times it. Both print a line when they are ready; "beat" prints one line of JSON at the end.
 * A failure is a sentence on stderr and exit code 1.
 *
 * As c1m does: a turn of the sweep every TICK_NS, CHUNK beats between two looks at the epoll, one edge-triggered
 * registration for each connection, and what is not like another: when it was sent, and over which descriptor. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

enum {
    FIRST_PORT = 9000,
    FIRST_SOURCE_PORT = 10000,
    MAX_PROCESSES = 64,
    MAX_PER_PROCESS = 50000, /* of the source ports of one address */
    BACKLOG = 4096,
    PAYLOAD = 64,
    CHUNK = 32,
    EVENTS = 256,
    TICK_NS = 20000000,
    LONGEST_US = 10000000,
    MAX_SECONDS = 600,
};

struct beat {
    long long sent_ns; /* 0: none is under way */
    int fd;
};

struct told { /* by each client through a pipe; small enough to be written at once */
    long sent, answered, wrong, missing;
    double p50_us, p99_us, max_us;
};

__attribute__((noreturn, format(printf, 1, 2))) static void fail(const char *sentence, ...) {
    va_list values;
    va_start(values, sentence);
    fputs("heartbeat: ", stderr);
    vfprintf(stderr, sentence, values);
    fputc('\n', stderr);
    _exit(1);
}

static int checked(int result, const char *doing) {
    if (result < 0) fail("%s failed: %s.", doing, strerror(errno));
    return result;
}

static long long now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static struct sockaddr_in address(in_addr_t ip, int port) {
    return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(ip)};
}

static void watch(int epoll, int fd, uint32_t events, long number) {
    struct epoll_event event = {.events = events, .data.u64 = number};
    checked(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), "Adding a descriptor to the epoll");
}

static int bound(struct sockaddr_in at, int flags) {
    int fd = checked(socket(AF_INET, SOCK_STREAM | flags, 0), "socket()");
    checked(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)), "setsockopt()");
    if (bind(fd, (struct sockaddr *)&at, sizeof at) < 0)
        fail("Binding port %d failed: %s.", ntohs(at.sin_port), strerror(errno));
    return fd;
}

/* -- the server */

static void echo(int fd) {
    char data[16384];
    ssize_t got = read(fd, data, sizeof data);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) close(fd);
    else if (write(fd, data, got) != got) fail("A client does not read its echoes, so the run is void.");
}

static void serve(int listener, int ready) {
    int epoll = checked(epoll_create1(0), "epoll_create1()");
    struct epoll_event events[EVENTS];
    watch(epoll, listener, EPOLLIN, listener);
    close(ready);
    for (;;) {
        int count = checked(epoll_wait(epoll, events, EVENTS, -1), "epoll_wait()");
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.u64;
            if (fd != listener) echo(fd);
            else
                while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) watch(epoll, fd, EPOLLIN, fd);
        }
    }
}

static void run_server(int number, int ready) {
    int listener = bound(address(INADDR_LOOPBACK, FIRST_PORT + number), SOCK_NONBLOCK);
    checked(listen(listener, BACKLOG), "listen()");
    serve(listener, ready);
}

/* -- the client */

static struct {
    long processes, per_process, interval_ns, seconds;
} options;

static struct beat *beats;
static struct told told;
static unsigned histogram[LONGEST_US];

static int open_connection(int number, long index) {
    /* 127.16.x.y by pid: a 4-tuple in TIME_WAIT from the run before is EADDRNOTAVAIL for its first second. */
    in_addr_t source = 0x7f100000 + ((getppid() & 0x3fff) << 6) + number;
    struct sockaddr_in destination = address(INADDR_LOOPBACK, FIRST_PORT + number);
    int fd = bound(address(source, FIRST_SOURCE_PORT + index), 0);
    checked(connect(fd, (struct sockaddr *)&destination, sizeof destination), "connect()");
    return fd;
}

static void payload(char *data, const struct beat *beat) {
    memset(data, 'x', PAYLOAD);
    memcpy(data, &beat->sent_ns, sizeof beat->sent_ns);
    memcpy(data + sizeof beat->sent_ns, &beat->fd, sizeof beat->fd);
}

static void send_beat(struct beat *beat) {
    char data[PAYLOAD];
    if (beat->sent_ns) {
        told.missing++;
        return;
    }
    beat->sent_ns = now_ns();
    payload(data, beat);
    if (write(beat->fd, data, PAYLOAD) != PAYLOAD) fail("A heartbeat could not be sent at once, so the run is void.");
    told.sent++;
}

static void take_answer(struct beat *beat, long long now) {
    char data[16384], expected[PAYLOAD];
    ssize_t got = read(beat->fd, data, sizeof data);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) fail("A connection was lost, so the run is void.");
    payload(expected, beat);
    if (got == PAYLOAD && memcmp(data, expected, PAYLOAD) == 0) told.answered++;
    else told.wrong++;
    long us = (now - beat->sent_ns) / 1000;
    histogram[us < LONGEST_US ? us : LONGEST_US - 1]++;
    beat->sent_ns = 0;
}

static void drain(int epoll, int timeout_ms) {
    struct epoll_event events[EVENTS];
    int count = checked(epoll_wait(epoll, events, EVENTS, timeout_ms), "epoll_wait()");
    long long now = now_ns();
    for (int i = 0; i < count; i++) take_answer(&beats[events[i].data.u64], now);
}

static double percentile(double share) {
    long passed = 0;
    for (long us = 0; us < LONGEST_US; us++)
        if ((passed += histogram[us]) && passed >= share * told.answered) return us;
    return 0;
}

static void beat(int epoll) {
    long long start = now_ns(), end = start + options.seconds * 1000000000LL, now;
    for (long swept = 0; (now = now_ns()) < end;) {
        long due = (double)(now - start) / options.interval_ns * options.per_process;
        long chunk = due - swept < CHUNK ? due - swept : CHUNK;
        for (long last = swept + chunk; swept < last; swept++) send_beat(&beats[swept % options.per_process]);
        long long idle_until = due - swept > 0 ? now : now + TICK_NS;
        do drain(epoll, idle_until > now ? (idle_until - now) / 1000000 : 0);
        while ((now = now_ns()) < idle_until - 1000000);
    }
    for (int i = 0; i < 100 && told.answered + told.wrong < told.sent; i++) drain(epoll, 10);
}

static void run_client(int number, int ready, int go, int result) {
    int epoll = checked(epoll_create1(0), "epoll_create1()");
    beats = calloc(options.per_process, sizeof *beats);
    for (long i = 0; i < options.per_process; i++) {
        beats[i].fd = open_connection(number, i);
        watch(epoll, beats[i].fd, EPOLLIN | EPOLLRDHUP | EPOLLET, i);
    }
    close(ready);
    checked(read(go, &(char){0}, 1), "Waiting for the others");
    beat(epoll);
    told.p50_us = percentile(0.5), told.p99_us = percentile(0.99), told.max_us = percentile(1);
    checked(write(result, &told, sizeof told), "Telling the result");
}

/* -- both */

static long whole_number(const char *text, const char *name, long low, long high) {
    char *end;
    long value = strtol(text, &end, 10);
    if (end == text || *end || value < low || value > high)
        fail("%s is '%s'; write a whole number from %ld to %ld.", name, text, low, high);
    return value;
}

static void raise_descriptor_limit(void) {
    struct rlimit limit;
    checked(getrlimit(RLIMIT_NOFILE, &limit), "getrlimit()");
    limit.rlim_cur = limit.rlim_max;
    checked(setrlimit(RLIMIT_NOFILE, &limit), "Raising the descriptor limit");
}

/* Every child holds an end of the pipe until it is ready: then a read of the other end is over. */
static void print_when_all_are(int ready[2], const char *what) {
    close(ready[1]);
    read(ready[0], &(char){0}, 1);
    puts(what);
    fflush(stdout);
}

static void print_result(int result) {
    struct told sum = {0}, one;
    for (int i = 0; i < options.processes; i++) {
        if (read(result, &one, sizeof one) != sizeof one) fail("A client ended early, so the run is void.");
        sum.sent += one.sent, sum.answered += one.answered, sum.wrong += one.wrong, sum.missing += one.missing;
        if (one.p50_us > sum.p50_us) sum.p50_us = one.p50_us; /* of the slowest process */
        if (one.p99_us > sum.p99_us) sum.p99_us = one.p99_us;
        if (one.max_us > sum.max_us) sum.max_us = one.max_us;
    }
    printf("{\"sent\":%ld,\"answered\":%ld,\"wrong\":%ld,\"missing\":%ld,\"p50_us\":%.0f,\"p99_us\":%.0f,\"max_us\":%.0f}\n",
           sum.sent, sum.answered, sum.wrong, sum.missing, sum.p50_us, sum.p99_us, sum.max_us);
}

int main(int argc, char **argv) {
    int serving = argc == 3 && !strcmp(argv[1], "serve");
    if (!serving && (argc != 6 || strcmp(argv[1], "beat")))
        fail("Write: heartbeat serve PROCESSES, or heartbeat beat PROCESSES PER_PROCESS INTERVAL_MS SECONDS.");
    options.processes = whole_number(argv[2], "PROCESSES", 1, MAX_PROCESSES);
    if (!serving) {
        options.per_process = whole_number(argv[3], "PER_PROCESS", 1, MAX_PER_PROCESS);
        options.interval_ns = whole_number(argv[4], "INTERVAL_MS", 100, 3600000) * 1000000L;
        options.seconds = whole_number(argv[5], "SECONDS", 1, MAX_SECONDS);
    }
    raise_descriptor_limit();
    int ready[2], go[2], result[2];
    checked(pipe(ready) | pipe(go) | pipe(result), "pipe()");
    pid_t parent = getpid();
    for (int i = 0; i < options.processes; i++) {
        if (checked(fork(), "fork()")) continue;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) _exit(1);
        close(ready[0]), close(go[1]);
        if (serving) run_server(i, ready[1]);
        else run_client(i, ready[1], go[0], result[1]);
        _exit(0);
    }
    print_when_all_are(ready, serving ? "serving" : "beating");
    if (serving) {
        while (read(0, &(char){0}, 1) > 0) continue;
        _exit(0);
    }
    close(go[1]), close(result[1]); /* the end of the pipe is the word for all of them at once */
    print_result(result[0]);
}
