package org.apache.flink.metrics.prometheus;

import io.prometheus.client.exporter.HTTPServer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.util.Properties;
import org.apache.flink.metrics.reporter.MetricReporter;
import org.apache.flink.metrics.reporter.MetricReporterFactory;

/**
 * Flink's Prometheus reporter on one address instead of on all of them: Flink's own has no option for it.
 *
 * <p>Options: {@code host} (127.0.0.1) and {@code port}.
 */
public final class LoopbackPrometheusReporterFactory implements MetricReporterFactory {

    @Override
    public MetricReporter createMetricReporter(Properties options) {
        String host = options.getProperty("host", "127.0.0.1");
        return new Reporter(new InetSocketAddress(host, Integer.parseInt(options.getProperty("port"))));
    }

    private static final class Reporter extends AbstractPrometheusReporter {

        private final HTTPServer server;

        Reporter(InetSocketAddress address) {
            try {
                server = new HTTPServer(address, registry);
            } catch (IOException error) {
                throw new UncheckedIOException("no metrics can be served on " + address, error);
            }
        }

        @Override
        public void close() {
            server.stop();
            super.close();
        }
    }
}
