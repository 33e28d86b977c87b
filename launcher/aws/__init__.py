"""Rent machines from EC2. The only place that imports boto3; what AWS says is translated here."""
