# The program of the Huawei Cloud DMS for RocketMQ document "Delivering Scheduled Messages" (Python), call by call.
# Replace the address by the metadata address of your instance.
import time

from rocketmq.client import Message, Producer

topic = "TopicTest"
gid = "test"
name_srv = "192.168.0.1:8100"

msg = Message(topic)
msg.set_keys("XXX")
msg.set_tags("XXX")
msg.set_property("property", "test")
msg.set_property("__STARTDELIVERTIME", str(int(round((time.time() + 3) * 1000))))
msg.set_body("message body")

producer = Producer(gid)
producer.set_name_server_address(name_srv)
producer.start()
ret = producer.send_sync(msg)
print("send message status: " + str(ret.status) + " msgId: " + ret.msg_id)
producer.shutdown()
