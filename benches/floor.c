/* The floor of a chain: spawn, wait, and make durable one record a step, in a file written ahead. Nothing else. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

int main(int argc, char **argv) {
    if (argc != 4) return 2;
    int steps = atoi(argv[1]), records = atoi(argv[2]);
    char line[400];
    memset(line, 'x', sizeof line);
    line[sizeof line - 1] = '\n';
    int fd = open(argv[3], O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (fd < 0) return 1;
    char *ahead = malloc(1 << 20);
    memset(ahead, '\n', 1 << 20);
    for (long left = (long)steps * records * (long)sizeof line; left > 0; left -= 1 << 20)
        if (write(fd, ahead, 1 << 20) < 0) return 1;
    if (fsync(fd)) return 1;
    lseek(fd, 0, SEEK_SET);
    char *const child[] = {"/bin/true", NULL};
    for (int i = 0; i < steps; i++) {
        for (int r = 0; r < records; r++)
            if (write(fd, line, sizeof line) < 0 || fdatasync(fd)) return 1;
        pid_t pid;
        int status;
        if (posix_spawn(&pid, child[0], NULL, NULL, child, environ)) return 1;
        if (waitpid(pid, &status, 0) < 0) return 1;
    }
    return 0;
}
