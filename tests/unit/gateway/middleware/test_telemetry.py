from gateway.middleware.telemetry import WINDOW_SECONDS, RecentRequests


def test_rates_and_quantiles_are_of_the_last_minute() -> None:
    recent = RecentRequests()
    recent.add(0.0, 9.0, 500)
    for number in range(1, 101):
        recent.add(100.0, number / 1000, 404 if number > 90 else 200)
    traffic = recent.traffic(100.0 + WINDOW_SECONDS / 2)
    assert traffic.requests_per_second == 100 / WINDOW_SECONDS
    assert traffic.client_errors_per_second == 10 / WINDOW_SECONDS
    assert traffic.server_errors_per_second == 0
    assert (traffic.p50, traffic.p95, traffic.p99) == (0.051, 0.096, 0.1)


def test_nothing_seen_is_nothing() -> None:
    traffic = RecentRequests().traffic(5.0)
    assert (traffic.requests_per_second, traffic.p50, traffic.p99) == (0, 0, 0)


def test_a_full_memory_covers_a_shorter_time() -> None:
    recent = RecentRequests()
    for number in range(40_000):
        recent.add(number / 1000, 0.001, 200)
    assert 900 < recent.traffic(40.0).requests_per_second < 1100
