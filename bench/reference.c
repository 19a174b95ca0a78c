/* What c1m is measured against: the kernel's own price of a TCP connection over 127.0.0.0/8, paid in bare C.
 *
 *   cc -O2 -o reference reference.c
 *   ./reference naive|planned PAIRS PER_PAIR [--client epoll|blocking] [--hold SECONDS]
 *
 * PAIRS client processes open PER_PAIR idle connections each, PAIRS acceptor processes accept them.
 * One line of JSON on stdout; a failure is a sentence on stderr and exit code 1.
 *
 * planned: each acceptor has its own port, accepts in batches and serves one client, whose source ports are explicit.
 * naive:   what one writes first: one port shared by SO_REUSEPORT, a wakeup per connection, ports found by the kernel.
 *          SO_REUSEPORT picks an acceptor by a hash of the 4-tuple, so the spread is binomial: PER_PAIR must leave
 *          about 5 % of the descriptor limit free, or the fullest acceptor ends the run with EMFILE.
 *
 * Times are CLOCK_MONOTONIC. cpu_seconds is what clients and acceptors used up to the end of the ramp, client_cpu_seconds is
 * the clients' part. On loopback the handshake runs in the softirq of the sender, the client, and is in both, unless the
 * kernel has CONFIG_IRQ_TIME_ACCOUNTING. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    FIRST_LISTENING_PORT = 9000,
    FIRST_SOURCE_PORT = 10000, /* above every listener: an explicit bind to a listener's port is EADDRINUSE */
    SOURCE_PORTS = 65536 - FIRST_SOURCE_PORT,
    MAX_PAIRS = FIRST_SOURCE_PORT - FIRST_LISTENING_PORT,
    NAIVE_PER_SOURCE = 5000, /* past half of the port range, 14,116 by default, the kernel's search turns linear */
    BACKLOG = 4096,          /* a full accept queue makes ghosts: clients ESTABLISHED with no socket behind them */
    OUTSTANDING_OPENS = 64,
    SPARE_DESCRIPTORS = 64,      /* standard streams, epoll, listener, and whatever was inherited */
    BYTES_PER_CONNECTION = 8600, /* kernel memory of both ends, both in an epoll; 8,350 measured */
    AWAY_NS = 2000000,           /* of a planned acceptor that has emptied its queue */
    POLL_NS = 20000000,
    DEADLINE_SECONDS = 300,
    MAX_HOLD_SECONDS = 200,
};

static struct {
    const char *mode, *client;
    bool planned, blocking;
    long pairs, per_pair, connections, hold_seconds;
} options = {.client = "epoll"};

struct slot { /* one writer each: the process it belongs to */
    _Alignas(64) atomic_long connections;
    atomic_llong last_ns;
};

static struct {
    atomic_int ready;
    atomic_bool started, failed;
    struct slot acceptors[MAX_PAIRS], clients[MAX_PAIRS];
} *shared;

static pid_t parent, children[2 * MAX_PAIRS];
static int child_count;
static long mem_available_low_kb;
static long long deadline_ns;

/* After SIGKILL the kernel closes what is open, as at any exit; the wait is bounded by its work alone. */
static void end_children(void) {
    for (int i = 0; i < child_count; i++) kill(children[i], SIGKILL);
    while (child_count && wait(NULL) > 0) child_count--;
}

/* Only the first failure speaks: the others follow from it. */
__attribute__((noreturn, format(printf, 1, 2))) static void fail(const char *sentence, ...) {
    char text[512];
    va_list values;
    va_start(values, sentence);
    vsnprintf(text, sizeof text, sentence, values);
    if (!shared || !atomic_exchange(&shared->failed, true)) fprintf(stderr, "reference: %s\n", text);
    end_children();
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

static void sleep_ns(long ns) { nanosleep(&(struct timespec){.tv_nsec = ns}, NULL); }

static struct sockaddr_in address(in_addr_t ip, int port) {
    return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(ip)};
}

static struct sockaddr_in acceptor_address(int pair) {
    return address(INADDR_LOOPBACK, FIRST_LISTENING_PORT + (options.planned ? pair : 0));
}

static void set_option(int fd, int level, int option) {
    checked(setsockopt(fd, level, option, &(int){1}, sizeof(int)), "setsockopt()");
}

static void bind_or_fail(int fd, struct sockaddr_in at) {
    if (bind(fd, (struct sockaddr *)&at, sizeof at) < 0)
        fail("Binding port %d failed: %s; it must be free on every address.", ntohs(at.sin_port), strerror(errno));
}

static void watch(int epoll, int fd, uint32_t events, long number) {
    struct epoll_event event = {.events = events, .data.u64 = number};
    checked(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), "Adding a descriptor to the epoll");
}

static void await_start(void) {
    atomic_fetch_add(&shared->ready, 1);
    while (!atomic_load(&shared->started)) sleep_ns(1000000);
}

static void publish(struct slot *slot, long connections) {
    atomic_store_explicit(&slot->last_ns, now_ns(), memory_order_relaxed);
    atomic_store_explicit(&slot->connections, connections, memory_order_release);
}

static int listen_on(struct sockaddr_in at) {
    int fd = checked(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), "socket()");
    set_option(fd, SOL_SOCKET, SO_REUSEADDR);
    if (!options.planned) set_option(fd, SOL_SOCKET, SO_REUSEPORT);
    bind_or_fail(fd, at);
    checked(listen(fd, BACKLOG), "listen()");
    return fd;
}

static bool accept_one(int listener, int epoll) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    if (fd < 0 && errno == EAGAIN) return false;
    checked(fd, "accept4(), which in a naive run needs PER_PAIR 5 % below the descriptor limit,");
    watch(epoll, fd, EPOLLIN | EPOLLRDHUP, 0);
    return true;
}

/* A SYN wakes nobody while the acceptor stays away, which takes a connect() from 18 to 13 us. */
static void run_acceptor(int pair) {
    int epoll = checked(epoll_create1(0), "epoll_create1()"), listener = listen_on(acceptor_address(pair));
    const long batch = options.planned ? LONG_MAX : 1;
    struct epoll_event event;
    watch(epoll, listener, EPOLLIN, 0);
    await_start();
    for (long accepted = 0;;) {
        checked(epoll_wait(epoll, &event, 1, -1), "epoll_wait()");
        for (long i = 0; i < batch && accept_one(listener, epoll); i++) accepted++;
        publish(&shared->acceptors[pair], accepted);
        if (options.planned) sleep_ns(AWAY_NS);
    }
}

/* Every run has source addresses of its own, by pid: a 4-tuple in TIME_WAIT is EADDRNOTAVAIL for its first second.
 * Planned clients share theirs, told apart by destination port, and with them the bind bucket of each (ip, port). */
static struct sockaddr_in source_address(int pair, long number) {
    in_addr_t first = 0x7f100000 + ((parent & 0xfff) << 10); /* 127.16.0.0 to 127.79.252.0 */
    if (options.planned) return address(first + number / SOURCE_PORTS, FIRST_SOURCE_PORT + number % SOURCE_PORTS);
    long sources_per_client = (options.per_pair + NAIVE_PER_SOURCE - 1) / NAIVE_PER_SOURCE;
    return address(first + pair * sources_per_client + number / NAIVE_PER_SOURCE, 0);
}

/* Without IP_BIND_ADDRESS_NO_PORT a bind to port 0 would take a port that no other destination can share. */
static int open_connection(int pair, long number) {
    struct sockaddr_in source = source_address(pair, number), destination = acceptor_address(pair);
    int fd = checked(socket(AF_INET, SOCK_STREAM | (options.blocking ? 0 : SOCK_NONBLOCK), 0), "socket()");
    if (options.planned) set_option(fd, SOL_SOCKET, SO_REUSEADDR);
    else set_option(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT);
    bind_or_fail(fd, source);
    if (connect(fd, (struct sockaddr *)&destination, sizeof destination) < 0 && errno != EINPROGRESS)
        fail("Connection %ld of client %d failed: %s.", number, pair, strerror(errno));
    return fd;
}

static void open_blocking(int pair, struct slot *slot) {
    for (long opened = 0; opened < options.per_pair; publish(slot, ++opened)) open_connection(pair, opened);
}

/* An edge-triggered epoll may report a socket writable again; only the first time counts. */
static bool newly_established(const struct epoll_event *event, bool *by_number) {
    if (event->events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP)) fail("A connection was refused or lost during the ramp.");
    bool known = by_number[event->data.u64];
    by_number[event->data.u64] = true;
    return !known;
}

static void open_with_epoll(int pair, struct slot *slot) {
    int epoll = checked(epoll_create1(0), "epoll_create1()");
    bool *by_number = calloc(options.per_pair, sizeof(bool));
    struct epoll_event events[OUTSTANDING_OPENS];
    for (long opened = 0, established = 0; established < options.per_pair; publish(slot, established)) {
        for (; opened < options.per_pair && opened - established < OUTSTANDING_OPENS; opened++)
            watch(epoll, open_connection(pair, opened), EPOLLET | EPOLLIN | EPOLLOUT | EPOLLRDHUP, opened);
        int ready = checked(epoll_wait(epoll, events, OUTSTANDING_OPENS, -1), "epoll_wait()");
        for (int i = 0; i < ready; i++) established += newly_established(&events[i], by_number);
    }
}

static void run_client(int pair) {
    await_start();
    (options.blocking ? open_blocking : open_with_epoll)(pair, &shared->clients[pair]);
    for (;;) pause();
}

static void fork_child(void (*role)(int), int pair) {
    pid_t pid = checked(fork(), "fork()");
    if (pid > 0) {
        children[child_count++] = pid;
        return;
    }
    child_count = 0;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    role(pair);
}

static long mem_available_kb(void) {
    char line[128];
    long kb = -1;
    FILE *meminfo = fopen("/proc/meminfo", "r");
    while (meminfo && fgets(line, sizeof line, meminfo) && sscanf(line, "MemAvailable: %ld", &kb) != 1) continue;
    if (meminfo) fclose(meminfo);
    if (kb < 0) fail("/proc/meminfo does not say how much memory is available, so nothing can be opened safely.");
    return kb;
}

static long total(const struct slot *slots) {
    long sum = 0;
    for (int i = 0; i < options.pairs; i++) sum += slots[i].connections;
    return sum;
}

static long long last_ns(const struct slot *slots) {
    long long last = 0;
    for (int i = 0; i < options.pairs; i++) last = slots[i].last_ns > last ? slots[i].last_ns : last;
    return last;
}

/* Acceptors are the first half of the children, clients the second. */
static double cpu_seconds_from(int first) {
    double seconds = 0;
    for (int i = first; i < child_count; i++) {
        clockid_t clock;
        struct timespec used = {0};
        if (clock_getcpuclockid(children[i], &clock) == 0) clock_gettime(clock, &used);
        seconds += used.tv_sec + used.tv_nsec / 1e9;
    }
    return seconds;
}

static bool all_ready(void) { return shared->ready == child_count; }
static bool all_connected(void) {
    return total(shared->clients) == options.connections && total(shared->acceptors) == options.connections;
}

/* WNOWAIT leaves a dead child unreaped, so that its pid cannot be another's when end_children() signals it. */
static void check_children(void) {
    siginfo_t ended = {0};
    waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT);
    if (ended.si_pid) fail("A client or an acceptor ended early, so the run is void.");
    if (now_ns() > deadline_ns)
        fail("After %d s %ld of %ld connections were established and %ld accepted.", DEADLINE_SECONDS,
             total(shared->clients), options.connections, total(shared->acceptors));
}

static void wait_until(bool (*reached)(void), long long earliest_ns) {
    for (bool done = false; !done; done = reached() && now_ns() >= earliest_ns) {
        sleep_ns(POLL_NS);
        check_children();
        long kb = mem_available_kb();
        if (kb < mem_available_low_kb) mem_available_low_kb = kb;
    }
}

static void run(void) {
    parent = getpid();
    deadline_ns = now_ns() + DEADLINE_SECONDS * 1000000000LL;
    void *memory = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) fail("mmap() failed: %s.", strerror(errno));
    shared = memory;
    for (int i = 0; i < options.pairs; i++) fork_child(run_acceptor, i);
    for (int i = 0; i < options.pairs; i++) fork_child(run_client, i);
    wait_until(all_ready, 0);
    double cpu_at_start = cpu_seconds_from(0), client_cpu_at_start = cpu_seconds_from(options.pairs);
    long long start = now_ns();
    atomic_store(&shared->started, true);
    wait_until(all_connected, 0);
    double cpu = cpu_seconds_from(0) - cpu_at_start, client_cpu = cpu_seconds_from(options.pairs) - client_cpu_at_start;
    long long established = last_ns(shared->clients), accepted = last_ns(shared->acceptors);
    double ramp = ((established > accepted ? established : accepted) - start) / 1e9;
    wait_until(all_connected, now_ns() + options.hold_seconds * 1000000000LL);
    long long close_start = now_ns();
    end_children();
    printf("{\"mode\":\"%s\",\"client\":\"%s\",\"pairs\":%ld,\"per_pair\":%ld,\"connections\":%ld,"
           "\"ramp_seconds\":%.3f,\"connections_per_second\":%.0f,\"accepted\":%ld,\"established\":%ld,"
           "\"close_seconds\":%.3f,\"cpu_seconds\":%.3f,\"client_cpu_seconds\":%.3f,\"mem_available_low_kb\":%ld}\n",
           options.mode, options.client, options.pairs, options.per_pair, options.connections, ramp,
           options.connections / ramp, total(shared->acceptors), total(shared->clients),
           (now_ns() - close_start) / 1e9, cpu, client_cpu, mem_available_low_kb);
}

static long whole_number(const char *text, const char *name, long low, long high) {
    char *end;
    long value = strtol(text, &end, 10);
    if (end == text || *end || value < low || value > high)
        fail("%s is '%s'; write a whole number from %ld to %ld.", name, text, low, high);
    return value;
}

static bool is_first(const char *text, const char *name, const char *first, const char *second) {
    if (strcmp(text, first) && strcmp(text, second)) fail("%s is '%s'; write %s or %s.", name, text, first, second);
    return strcmp(text, first) == 0;
}

static void read_options(int argc, char **argv) {
    if (argc < 4 || argc % 2)
        fail("Write: reference naive|planned PAIRS PER_PAIR [--client epoll|blocking] [--hold SECONDS].");
    options.planned = is_first(options.mode = argv[1], "The mode", "planned", "naive");
    options.pairs = whole_number(argv[2], "PAIRS", 1, MAX_PAIRS);
    options.per_pair = whole_number(argv[3], "PER_PAIR", 1, 1000000000);
    options.connections = options.pairs * options.per_pair;
    for (char **option = argv + 4; *option; option += 2)
        if (is_first(option[0], "An option", "--client", "--hold"))
            options.blocking = is_first(options.client = option[1], "--client", "blocking", "epoll");
        else
            options.hold_seconds = whole_number(option[1], "--hold", 0, MAX_HOLD_SECONDS);
}

static void raise_descriptor_limit(void) {
    struct rlimit limit;
    checked(getrlimit(RLIMIT_NOFILE, &limit), "getrlimit()");
    limit.rlim_cur = limit.rlim_max;
    checked(setrlimit(RLIMIT_NOFILE, &limit), "Raising the descriptor limit");
    if (options.per_pair + SPARE_DESCRIPTORS > (long)limit.rlim_max)
        fail("%ld connections and %d spare descriptors exceed the hard limit of %ld; write a smaller PER_PAIR.",
             options.per_pair, SPARE_DESCRIPTORS, (long)limit.rlim_max);
}

static void refuse_what_memory_cannot_hold(void) {
    long needed_kb = options.connections * BYTES_PER_CONNECTION / 1024;
    mem_available_low_kb = mem_available_kb();
    if (needed_kb > mem_available_low_kb / 10 * 9)
        fail("%ld connections take about %ld MB of kernel memory, over 90 %% of the %ld MB available; write fewer.",
             options.connections, needed_kb / 1024, mem_available_low_kb / 1024);
}

int main(int argc, char **argv) {
    read_options(argc, argv);
    raise_descriptor_limit();
    refuse_what_memory_cannot_hold();
    run();
}
