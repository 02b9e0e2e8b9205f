'use strict';

// @aliyunmq/mq-http-sdk 1.0.4 doing what a test tells it: it makes a call for every JSON line that it reads, and prints
// a JSON line with the answer.

const readline = require('readline');
const { MQClient, MessageProperties } = require('@aliyunmq/mq-http-sdk');

const USAGE = 'usage: main.js ENDPOINT ACCESS-KEY SECRET-KEY [SECURITY-TOKEN]';

// What the SDK takes of a message, beside body and tag.
function propertiesOf(message) {
  const properties = new MessageProperties();
  properties.messageKey(message.key || null);
  properties.startDeliverTime(message.deliver_at_ms || null);
  properties.transCheckImmunityTime(message.check_after_s || null);
  properties.shardingKey(message.sharding_key || null);
  for (const [name, value] of Object.entries(message.properties)) {
    properties.putProperty(name, value);
  }
  return properties;
}

function delivered(message) {
  // The SDK shows both times under one name, and the check time wins.
  const time = message.StartDeliverTime || 0;
  const isDate = time > 1e6;
  return {
    message_id: message.MessageId,
    handle: message.ReceiptHandle,
    body: message.MessageBody,
    body_md5: message.MessageBodyMD5,
    tag: message.MessageTag || '',
    key: message.MessageKey || '',
    properties: message.Properties,
    deliver_at_ms: isDate ? time : 0,
    sharding_key: message.ShardingKey || '',
    check_after_s: isDate ? 0 : time,
    published_ms: Number(message.PublishTime),
    next_consume_ms: Number(message.NextConsumeTime),
    first_consume_ms: Number(message.FirstConsumeTime),
    consumed_times: Number(message.ConsumedTimes),
  };
}

async function publish(producer, message) {
  const { body } = await producer.publishMessage(message.body, message.tag, propertiesOf(message));
  return { messages: [{ message_id: body.MessageId, handle: body.ReceiptHandle || '', body_md5: body.MessageBodyMD5 }] };
}

async function consumed(response) {
  return { messages: (await response).body.map(delivered) };
}

// A refused handle among others is no error of the SDK, but in the response.
async function settled(response) {
  const { code, body } = await response;
  if (!body) {
    return {};
  }
  const refused = body.map((error) => ({ handle: error.ReceiptHandle, code: error.ErrorCode }));
  return { error: `${code}: ${JSON.stringify(body)}`, refused };
}

function make(client, call) {
  const consumer = () => client.getConsumer(call.instance, call.topic, call.group, call.tag);
  const transactions = () => client.getTransProducer(call.instance, call.topic, call.group);
  switch (call.do) {
    case 'publish':
      return publish(client.getProducer(call.instance, call.topic), call.message);
    case 'consume':
      switch (call.mode) {
        case 'order':
          return consumed(consumer().consumeMessageOrderly(call.max, call.wait_s));
        case 'pop':
          return consumed(transactions().consumeHalfMessage(call.max, call.wait_s));
        default:
          return consumed(consumer().consumeMessage(call.max, call.wait_s));
      }
    case 'ack':
      return settled(consumer().ackMessage(call.handles));
    case 'commit':
      return settled(transactions().commit(call.handles[0]));
    case 'rollback':
      return settled(transactions().rollback(call.handles[0]));
    default:
      throw new Error(`${call.do} is no call`);
  }
}

// Answers calls until the input ends.
async function main(endpoint, accessKey, secretKey, token) {
  if (!secretKey) {
    throw new Error(USAGE);
  }
  const client = new MQClient(endpoint, accessKey, secretKey, token);
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const answer = await make(client, JSON.parse(line)).catch((error) => ({ error: error.message }));
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  }
}

// The process ends with the input: the SDK keeps its connections.
main(...process.argv.slice(2)).then(
  () => process.exit(0),
  (error) => {
    console.error(error.message);
    process.exit(1);
  },
);
