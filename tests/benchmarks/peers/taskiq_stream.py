"""taskiq with taskiq-redis' stream broker: the one that acknowledges."""

from peers.settings import URL
from peers.taskiq_tasks import Producer
from taskiq_redis import RedisStreamBroker

broker = RedisStreamBroker(URL)
producer = Producer(broker)
connect, close, sender = producer.connect, producer.close, producer.sender
