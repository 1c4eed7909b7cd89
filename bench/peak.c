/* SPDX-License-Identifier: Apache-2.0 */
/* bench/peak.c: run a command, then print the most KiB that it had resident as the last line of stderr. */
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    pid_t child = argc > 1 ? fork() : -1;
    if (!child) {
        execv(argv[1], argv + 1);
        _exit(127);
    }
    int status;
    struct rusage u;
    if (child < 0 || wait4(child, &status, 0, &u) != child)
        return 1;
    fprintf(stderr, "%ld\n", u.ru_maxrss);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
