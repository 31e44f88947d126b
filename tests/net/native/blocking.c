// Makes sockets blocking while the launcher connects them to a listener that takes no more. Says how often others are
// answered in the meantime.
#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static struct sockaddr_in full;
static volatile long answered;

static void *block(void *socket) {
  for (;;) fcntl((int)(long)socket, F_SETFL, 0);
}

static void *others(void *unused) {
  struct sockaddr_in nobody = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(9)};
  for (;;) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    connect(fd, (void *)&nobody, sizeof nobody);
    close(fd);
    answered++;
    usleep(1000);
  }
}

static void *attempt(void *unused) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  pthread_t thread;
  pthread_create(&thread, 0, block, (void *)(long)fd);
  usleep(5000);
  connect(fd, (void *)&full, sizeof full);
  return 0;
}

int main(void) {
  full = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof full;
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(listener, (void *)&full, length) || listen(listener, 0)) return 1;
  getsockname(listener, (void *)&full, &length);
  for (int i = 0; i < 4; i++) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    connect(fd, (void *)&full, length);
  }
  pthread_t thread;
  pthread_create(&thread, 0, others, 0);
  for (int i = 0; i < 15; i++) {
    pthread_create(&thread, 0, attempt, 0);
    usleep(30000);
  }
  long before = answered;
  for (int i = 0; i < 200 && answered < before + 10; i++) usleep(10000);
  puts(answered < before + 10 ? "nobody is answered" : "others are answered");
}
