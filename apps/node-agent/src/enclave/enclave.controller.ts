import { toPem } from '#pki';
import { schemaPipe } from '#platform';
import { Body, Controller, Get, Header, HttpCode, Post } from '@nestjs/common';
import { AgentMetrics } from '../agent-metrics.js';
import { QuotingEnclave } from '../quoting/quoting-enclave.js';
import { AttestReportRequest, presentedReport } from './presented-report.js';

/** Local attestation as em-app asks for it (em-node-agent-client). */
@Controller('v1/enclave')
export class EnclaveController {
  constructor(
    private readonly quoting: QuotingEnclave,
    private readonly metrics: AgentMetrics,
  ) {}

  @Get('target-info')
  @Header('cache-control', 'no-store')
  async targetInfo(): Promise<{ targetInfo: string }> {
    return { targetInfo: (await this.quoting.targetInfo()).toString('base64') };
  }

  @Post('attest')
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  async attest(
    @Body({ schema: AttestReportRequest, pipes: [schemaPipe('REQUEST_MALFORMED')] })
    body: AttestReportRequest,
  ): Promise<{ attestation_certificate: string; node_certificate: string; fqpe_report: string }> {
    const report = presentedReport(body);
    const {
      attestationCertificate,
      nodeCertificate,
      report: vouching,
    } = await this.metrics.quote(() => this.quoting.quote(report));
    return {
      attestation_certificate: toPem('CERTIFICATE', attestationCertificate),
      node_certificate: toPem('CERTIFICATE', nodeCertificate),
      fqpe_report: vouching.toString('base64'),
    };
  }
}
