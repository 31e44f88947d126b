// Swaps the port in an address while it is connected to; says whether the other port was ever reached.
#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static struct sockaddr_in to;
static unsigned short granted, other;
static volatile long swaps;

static void *swap(void *unused) {
  for (;;) {
    // Each for a while, so that each is seen.
    __atomic_store_n(&to.sin_port, other, __ATOMIC_RELAXED);
    for (volatile int i = 0; i < 30; i++);
    __atomic_store_n(&to.sin_port, granted, __ATOMIC_RELAXED);
    for (volatile int i = 0; i < 30; i++);
    swaps++;
  }
}

int main(int count, char **words) {
  if (count < 3) return 2;
  granted = htons(atoi(words[1]));
  other = htons(atoi(words[2]));
  to = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = granted};
  pthread_t thread;
  pthread_create(&thread, 0, swap, 0);
  struct linger reset = {1, 0};
  int good = 0, wrong = 0;
  time_t end = time(0) + 8;
  for (int i = 0; (i < 20000 || swaps < 20000) && time(0) < end && !wrong; i++) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in peer;
    socklen_t length = sizeof peer;
    if (!connect(fd, (void *)&to, sizeof to) && !getpeername(fd, (void *)&peer, &length)) {
      good += peer.sin_port == granted;
      wrong += peer.sin_port == other;
    }
    // No port of this machine is kept for a while.
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(fd);
  }
  puts(wrong ? "the other was reached" : good ? "never the other" : "nobody was reached");
}
