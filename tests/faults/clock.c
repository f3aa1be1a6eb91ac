// The wall clock of one process, moved: preloaded, it adds the seconds that a mapped file says, at each look. Clocks that
// only go forward stay as they are.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const volatile long long *moved_by;

__attribute__((constructor)) static void map_file(void) {
    const char *path = getenv("CLOCK_MOVED_BY");
    int file = path ? open(path, O_RDONLY) : -1;
    if (file < 0) {
        return;
    }
    void *page = mmap(NULL, sizeof *moved_by, PROT_READ, MAP_SHARED, file, 0);
    if (page != MAP_FAILED) {
        moved_by = page;
    }
    close(file);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int failed = (int)syscall(SYS_clock_gettime, clock, now);
    if (!failed && clock == CLOCK_REALTIME && moved_by) {
        now->tv_sec += *moved_by;
    }
    return failed;
}
