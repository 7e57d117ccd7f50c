package answer

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"slices"
	"strings"
)

// Architectures returns those that an answer file can be made for.
func Architectures() []string { return []string{"amd64", "x86", "arm64"} }

// checkArchitecture refuses a Windows whose registry has no such architecture: components of
// another one would be ignored without a word.
func checkArchitecture(arch string) error {
	if slices.Contains(Architectures(), arch) {
		return nil
	}
	return fmt.Errorf("no answer file can be made: the registry says that PROCESSOR_ARCHITECTURE is %q, and not one of %s; "+
		"make the image of that Windows again", arch, strings.Join(Architectures(), ", "))
}

// Standard returns the answer file of an image that has none: a computer name of Windows'
// choice, the time zone, English, and no question at the first boot. modern is for
// NT 6.2 and later, where a local account and one of Microsoft are asked for by pages of
// their own.
func Standard(arch, zone string, modern bool) ([]byte, error) {
	if err := checkArchitecture(arch); err != nil {
		return nil, err
	}
	var escaped bytes.Buffer
	if err := xml.EscapeText(&escaped, []byte(zone)); err != nil {
		return nil, err
	}
	pages := ""
	if modern {
		pages = "<HideLocalAccountScreen>true</HideLocalAccountScreen>\n\t\t\t\t<HideOnlineAccountScreens>true</HideOnlineAccountScreens>\n\t\t\t\t"
	}
	text := strings.NewReplacer("ZONE", escaped.String(), "PAGES", pages, "IDENTITY",
		`processorArchitecture="`+arch+`" publicKeyToken="31bf3856ad364e35" language="neutral" versionScope="nonSxS"`).Replace(standard)
	return []byte(strings.ReplaceAll(text, "\n", "\r\n")), nil
}

const standard = `<?xml version="1.0" encoding="utf-8"?>
<unattend xmlns="` + unattend + `" xmlns:wcm="` + wcm + `">
	<settings pass="specialize">
		<component name="Microsoft-Windows-Shell-Setup" IDENTITY>
			<ComputerName>*</ComputerName>
			<TimeZone>ZONE</TimeZone>
		</component>
	</settings>
	<settings pass="oobeSystem">
		<component name="Microsoft-Windows-International-Core" IDENTITY>
			<InputLocale>en-US</InputLocale>
			<SystemLocale>en-US</SystemLocale>
			<UILanguage>en-US</UILanguage>
			<UserLocale>en-US</UserLocale>
		</component>
		<component name="Microsoft-Windows-Shell-Setup" IDENTITY>
			<OOBE>
				<HideEULAPage>true</HideEULAPage>
				PAGES<NetworkLocation>Work</NetworkLocation>
				<ProtectYourPC>1</ProtectYourPC>
				<SkipMachineOOBE>true</SkipMachineOOBE>
				<SkipUserOOBE>true</SkipUserOOBE>
			</OOBE>
		</component>
	</settings>
</unattend>
`
