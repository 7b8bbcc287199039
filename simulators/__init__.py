"""What stands in for the outside world: the traffic of people and devices, and the Kinesis service."""
