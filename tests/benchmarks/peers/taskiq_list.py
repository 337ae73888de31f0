"""taskiq with taskiq-redis' list broker: the quick one, which acknowledges nothing."""

from peers.settings import URL
from peers.taskiq_tasks import Producer
from taskiq_redis import ListQueueBroker

broker = ListQueueBroker(URL)
producer = Producer(broker)
connect, close, sender = producer.connect, producer.close, producer.sender
