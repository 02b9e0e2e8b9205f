// What a person gets who errs, and when the network or the server fails: a kind, an outcome, and a text that helps.
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SEND_MESSAGE_V2 = 310, MIB = 1024 * 1024 };

// Expects an error whose text contains `words` and whose outcome is `outcome`.
static void refused(tminus_producer_t *producer, const tminus_message_t *message, tminus_status_t status,
                    int32_t outcome, const char *words)
{
    tminus_error_t *error = NULL;
    tminus_status_t got = tminus_producer_send(producer, message, NULL, NULL, NULL, &error);
    check_status(__FILE__, __LINE__, words, status, got, error);
    if (error->outcome != outcome || strstr(error->message, words) == NULL) {
        fprintf(stderr, "outcome %d, expected %d; message: %s; expected in it: %s\n", error->outcome, outcome,
                error->message, words);
        exit(1);
    }
    tminus_error_free(error);
}

static void unusable_messages(tminus_producer_t *producer)
{
    tminus_message_t message = message_for("", "body");
    refused(producer, &message, TMINUS_INVALID_MESSAGE, TMINUS_OUTCOME_NOT_SENT, "topic is empty");
    message = message_for("no spaces", "body");
    refused(producer, &message, TMINUS_INVALID_MESSAGE, TMINUS_OUTCOME_NOT_SENT, "no spaces");
    message = message_for("faults", "");
    refused(producer, &message, TMINUS_INVALID_MESSAGE, TMINUS_OUTCOME_NOT_SENT, "empty body");

    uint8_t *large = calloc(4 * MIB + 1, 1);
    CHECK(large != NULL);
    message.body = (tminus_bytes_t){large, 4 * MIB + 1};
    refused(producer, &message, TMINUS_INVALID_MESSAGE, TMINUS_OUTCOME_NOT_SENT, "4194304");
    free(large);

    tminus_property_t property = {tminus_str("name"), tminus_str("a\001b")};
    message = message_for("faults", "body");
    message.properties = &property;
    message.property_count = 1;
    refused(producer, &message, TMINUS_INVALID_MESSAGE, TMINUS_OUTCOME_NOT_SENT, "separator");
}

static void unusable_times(tminus_producer_t *producer)
{
    static const char *const texts[][2] = {
        {"soon", "not a decimal number"}, {"-1", "negative"}, {"1795000000", "looks like seconds"}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        tminus_property_t property = {tminus_str("__STARTDELIVERTIME"), tminus_str(texts[i][0])};
        tminus_message_t message = message_for("faults", "body");
        message.properties = &property;
        message.property_count = 1;
        refused(producer, &message, TMINUS_INVALID_DELIVERY_TIME, TMINUS_OUTCOME_NOT_SENT, texts[i][1]);
    }
    tminus_message_t message = message_for("faults", "body");
    message.delivery = TMINUS_DELIVERY_AFTER_MS;
    message.delivery_value = INT64_C(366) * 24 * 3600 * 1000;
    refused(producer, &message, TMINUS_INVALID_DELIVERY_TIME, TMINUS_OUTCOME_NOT_SENT, "365 days");
    message.delivery_value = -1;
    refused(producer, &message, TMINUS_INVALID_DELIVERY_TIME, TMINUS_OUTCOME_NOT_SENT, "negative");
    message.delivery = TMINUS_DELIVERY_LEVEL;
    refused(producer, &message, TMINUS_INVALID_DELIVERY_TIME, TMINUS_OUTCOME_NOT_SENT, "no delay level");
}

// A producer that does not try again.
static tminus_producer_t *start_impatient(tminus_broker_t *broker)
{
    tminus_client_options_t client = client_of(broker);
    tminus_producer_options_t options;
    OK(tminus_producer_options_init(&options, sizeof options, &error));
    options.retries = 0;
    tminus_producer_t *producer = NULL;
    OK(tminus_producer_start(&client, &options, NULL, &producer, &error));
    return producer;
}

static void next_send_meets(tminus_broker_t *broker, tminus_fault_t fault)
{
    OK(tminus_broker_inject(broker, SEND_MESSAGE_V2, 1, &fault, &error));
}

static void failing_server(tminus_broker_t *broker, tminus_producer_t *patient)
{
    tminus_producer_t *producer = start_impatient(broker);
    tminus_message_t message = message_for("faults", "body");
    next_send_meets(broker, (tminus_fault_t){TMINUS_FAULT_REFUSE, 2, tminus_str("[REJECTREQUEST]")});
    refused(producer, &message, TMINUS_BUSY, TMINUS_OUTCOME_NOT_SENT, "REJECTREQUEST");
    next_send_meets(broker, (tminus_fault_t){.kind = TMINUS_FAULT_CLOSE_AFTER});
    refused(producer, &message, TMINUS_CONNECTION_CLOSED, TMINUS_OUTCOME_MAYBE_SENT, "may have been stored");
    next_send_meets(broker, (tminus_fault_t){.kind = TMINUS_FAULT_CLOSE_BEFORE});
    refused(producer, &message, TMINUS_CONNECTION_CLOSED, TMINUS_OUTCOME_MAYBE_SENT, "may have been stored");

    next_send_meets(broker, (tminus_fault_t){.kind = TMINUS_FAULT_SWALLOW});
    tminus_send_options_t options = TMINUS_SEND_OPTIONS_INIT;
    options.timeout_ms = 200;
    double started = seconds();
    EXPECT(TMINUS_TIMEOUT, tminus_producer_send(producer, &message, &options, NULL, NULL, &error));
    CHECK(seconds() - started < 1.0);
    OK(tminus_producer_send(producer, &message, NULL, NULL, NULL, &error));
    tminus_producer_free(producer);

    // Who tries again does not notice one fault.
    next_send_meets(broker, (tminus_fault_t){.kind = TMINUS_FAULT_CLOSE_BEFORE});
    OK(tminus_producer_send(patient, &message, NULL, NULL, NULL, &error));
}

// A server that answers the first bytes it gets with `answer`, for ever.
struct stranger {
    int listener;
    uint16_t port;
    const char *answer;
    size_t length;
};

static void *answer(void *argument)
{
    struct stranger *stranger = argument;
    for (;;) {
        int connection = accept(stranger->listener, NULL, NULL);
        if (connection < 0)
            return NULL;
        char request[512];
        if (recv(connection, request, sizeof request, 0) > 0)
            (void)!write(connection, stranger->answer, stranger->length);
        while (recv(connection, request, sizeof request, 0) > 0) {
        }
        close(connection);
    }
}

static int loopback_socket(struct sockaddr_in *address, uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(fd >= 0);
    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return fd;
}

static uint16_t listen_on_loopback(int *listener)
{
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    *listener = loopback_socket(&address, 0);
    CHECK(bind(*listener, (struct sockaddr *)&address, sizeof address) == 0);
    CHECK(listen(*listener, 8) == 0);
    CHECK(getsockname(*listener, (struct sockaddr *)&address, &length) == 0);
    return ntohs(address.sin_port);
}

static tminus_status_t start_at(uint16_t port)
{
    char endpoint[32];
    snprintf(endpoint, sizeof endpoint, "127.0.0.1:%u", port);
    tminus_client_options_t client;
    OK(tminus_client_options_init(&client, sizeof client, &error));
    client.endpoint = tminus_str(endpoint);
    tminus_producer_t *producer = NULL;
    tminus_error_t *error = NULL;
    tminus_status_t status = tminus_producer_start(&client, NULL, NULL, &producer, &error);
    CHECK(producer == NULL && (status == TMINUS_OK || strstr(error->message, endpoint) != NULL));
    tminus_error_free(error);
    return status;
}

static void expect_stranger(const char *answer_text, size_t length, tminus_status_t expected)
{
    struct stranger stranger = {.answer = answer_text, .length = length};
    stranger.port = listen_on_loopback(&stranger.listener);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, answer, &stranger) == 0);
    check_status(__FILE__, __LINE__, "start", expected, start_at(stranger.port), &(tminus_error_t){.status = expected});
    shutdown(stranger.listener, SHUT_RDWR);
    CHECK(pthread_join(thread, NULL) == 0);
    close(stranger.listener);
}

static void wrong_addresses(void)
{
    static const char http[] = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";
    static const char hostile[] = "\x7f\xff\xff\xff\x00\x00\x00\x10";
    int listener = -1;
    uint16_t closed_port = listen_on_loopback(&listener);
    close(listener);
    tminus_status_t status = start_at(closed_port);
    CHECK(status == TMINUS_NAME_SERVER_UNREACHABLE);
    expect_stranger(http, sizeof http - 1, TMINUS_WRONG_PROTOCOL);
    expect_stranger(hostile, sizeof hostile - 1, TMINUS_PROTOCOL);
}

// A frame that claims two gigabytes: the broker hangs up, and goes on serving the others.
static void hostile_client(tminus_broker_t *broker, tminus_producer_t *producer)
{
    const tminus_str_t text = tminus_broker_address(broker);
    char port[8] = "";
    const char *colon = memchr(text.data, ':', text.len);
    CHECK(colon != NULL);
    memcpy(port, colon + 1, text.len - (size_t)(colon + 1 - text.data));
    struct sockaddr_in address;
    int fd = loopback_socket(&address, (uint16_t)atoi(port));
    CHECK(connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
    CHECK(send(fd, "\x7f\xff\xff\xff\x00\x00\x00\x10", 8, 0) == 8);
    char byte;
    CHECK(recv(fd, &byte, 1, 0) <= 0);
    close(fd);
    tminus_message_t message = message_for("faults", "still there");
    OK(tminus_producer_send(producer, &message, NULL, NULL, NULL, &error));
}

static void unknown_topic(void)
{
    tminus_broker_options_t options = broker_options(0);
    options.auto_create_topics = 0;
    tminus_broker_t *broker = NULL;
    OK(tminus_broker_start(&options, &broker, &error));
    tminus_producer_t *producer = start_producer(broker);
    tminus_message_t message = message_for("unknown", "body");
    refused(producer, &message, TMINUS_TOPIC_NOT_FOUND, TMINUS_OUTCOME_NOT_SENT, "unknown");
    tminus_producer_free(producer);
    tminus_broker_free(broker);
}

static tminus_status_t send_with(const tminus_client_options_t *client)
{
    tminus_producer_t *producer = NULL;
    tminus_status_t status = tminus_producer_start(client, NULL, NULL, &producer, NULL);
    if (status == TMINUS_OK) {
        tminus_message_t message = message_for("faults", "body");
        status = tminus_producer_send(producer, &message, NULL, NULL, NULL, NULL);
    }
    tminus_producer_free(producer);
    return status;
}

static void credentials(void)
{
    tminus_credentials_t user = {.access_key = tminus_str("user"), .secret_key = tminus_str("right")};
    tminus_broker_options_t options = broker_options(0);
    options.credentials = &user;
    options.credential_count = 1;
    tminus_broker_t *broker = NULL;
    OK(tminus_broker_start(&options, &broker, &error));
    tminus_client_options_t client = client_of(broker);
    CHECK(send_with(&client) == TMINUS_PERMISSION_DENIED);
    client.credentials = user;
    CHECK(send_with(&client) == TMINUS_OK);
    client.credentials.secret_key = tminus_str("wrong");
    CHECK(send_with(&client) == TMINUS_PERMISSION_DENIED);
    tminus_broker_free(broker);
}

static void certificates(void)
{
    tminus_broker_options_t options = broker_options(0);
    options.tls = TMINUS_BROKER_TLS_SELF_MADE;
    options.tls_only = 1;
    tminus_broker_t *broker = NULL;
    OK(tminus_broker_start(&options, &broker, &error));
    CHECK(tminus_broker_ca_pem(broker).len > 0);
    tminus_client_options_t client = client_of(broker);
    CHECK(send_with(&client) != TMINUS_OK);
    client.tls.enabled = 1;
    CHECK(send_with(&client) == TMINUS_TLS);
    client.tls.ca_pem = tminus_broker_ca_pem(broker);
    CHECK(send_with(&client) == TMINUS_OK);
    client.tls.server_name = tminus_str("elsewhere.example");
    CHECK(send_with(&client) == TMINUS_TLS);
    client.tls.insecure = 1;
    client.tls.ca_pem = tminus_str(NULL);
    CHECK(send_with(&client) == TMINUS_OK);
    tminus_broker_free(broker);
}

int main(void)
{
    tminus_broker_t *broker = start_broker(0);
    OK(tminus_broker_create_topic(broker, tminus_str("faults"), 4, &error));
    tminus_producer_t *producer = start_producer(broker);
    unusable_messages(producer);
    unusable_times(producer);
    failing_server(broker, producer);
    hostile_client(broker, producer);
    tminus_producer_free(producer);
    tminus_broker_free(broker);
    wrong_addresses();
    unknown_topic();
    credentials();
    certificates();
    return 0;
}
