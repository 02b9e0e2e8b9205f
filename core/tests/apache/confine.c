/* Preloaded into the server's JVMs, for what no setting offers: a port is bound on loopback even where the server
   asks for every interface (its replication port), and the JVM ends with the harness that started it. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>

__attribute__((constructor)) static void end_with_parent(void) { prctl(PR_SET_PDEATHSIG, SIGKILL); }

int bind(int socket, const struct sockaddr *address, socklen_t length) {
    static int (*libc_bind)(int, const struct sockaddr *, socklen_t);
    if (!libc_bind) *(void **)&libc_bind = dlsym(RTLD_NEXT, "bind");
    if (address && address->sa_family == AF_INET && length >= sizeof(struct sockaddr_in)) {
        struct sockaddr_in narrowed = *(const struct sockaddr_in *)address;
        if (narrowed.sin_addr.s_addr == htonl(INADDR_ANY)) narrowed.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        return libc_bind(socket, (const struct sockaddr *)&narrowed, sizeof narrowed);
    }
    return libc_bind(socket, address, length);
}
