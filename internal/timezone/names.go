package timezone

// names are the time zones of Windows, with the number of those that XP and Server 2003 have.
const names = `
AUS Central Standard Time=245
AUS Eastern Standard Time=255
Afghanistan Standard Time=175
Alaskan Standard Time=003
Aleutian Standard Time
Altai Standard Time
Arab Standard Time=150
Arabian Standard Time=165
Arabic Standard Time=158
Argentina Standard Time
Astrakhan Standard Time
Atlantic Standard Time=050
Aus Central W. Standard Time
Azerbaijan Standard Time
Azores Standard Time=080
Bahia Standard Time
Bangladesh Standard Time
Belarus Standard Time
Bougainville Standard Time
Canada Central Standard Time=025
Cape Verde Standard Time=083
Caucasus Standard Time=170
Cen. Australia Standard Time=250
Central America Standard Time=033
Central Asia Standard Time=195
Central Brazilian Standard Time
Central Europe Standard Time=095
Central European Standard Time=100
Central Pacific Standard Time=280
Central Standard Time=020
Central Standard Time (Mexico)
Chatham Islands Standard Time
China Standard Time=210
Cuba Standard Time
Dateline Standard Time=000
E. Africa Standard Time=155
E. Australia Standard Time=260
E. Europe Standard Time=115
E. South America Standard Time=065
Easter Island Standard Time
Eastern Standard Time=035
Eastern Standard Time (Mexico)
Egypt Standard Time=120
Ekaterinburg Standard Time=180
FLE Standard Time=125
Fiji Standard Time=285
GMT Standard Time=085
GTB Standard Time=130
Georgian Standard Time
Greenland Standard Time=073
Greenwich Standard Time=090
Haiti Standard Time
Hawaiian Standard Time=002
India Standard Time=190
Iran Standard Time=160
Israel Standard Time=135
Jordan Standard Time
Kaliningrad Standard Time
Kamchatka Standard Time
Korea Standard Time=230
Libya Standard Time
Line Islands Standard Time
Lord Howe Standard Time
Magadan Standard Time
Magallanes Standard Time
Marquesas Standard Time
Mauritius Standard Time
Mexico Standard Time=030
Mexico Standard Time 2=013
Mid-Atlantic Standard Time=075
Middle East Standard Time
Montevideo Standard Time
Morocco Standard Time
Mountain Standard Time=010
Mountain Standard Time (Mexico)
Myanmar Standard Time=203
N. Central Asia Standard Time=201
Namibia Standard Time
Nepal Standard Time=193
New Zealand Standard Time=290
Newfoundland Standard Time=060
Norfolk Standard Time
North Asia East Standard Time=227
North Asia Standard Time=207
North Korea Standard Time
Omsk Standard Time
Pacific SA Standard Time=056
Pacific Standard Time=004
Pacific Standard Time (Mexico)
Pakistan Standard Time
Paraguay Standard Time
Qyzylorda Standard Time
Romance Standard Time=105
Russia Time Zone 10
Russia Time Zone 11
Russia Time Zone 3
Russian Standard Time=145
SA Eastern Standard Time=070
SA Pacific Standard Time=045
SA Western Standard Time=055
SE Asia Standard Time=205
Saint Pierre Standard Time
Sakhalin Standard Time
Samoa Standard Time=001
Sao Tome Standard Time
Saratov Standard Time
Singapore Standard Time=215
South Africa Standard Time=140
South Sudan Standard Time
Sri Lanka Standard Time=200
Sudan Standard Time
Syria Standard Time
Taipei Standard Time=220
Tasmania Standard Time=265
Tocantins Standard Time
Tokyo Standard Time=235
Tomsk Standard Time
Tonga Standard Time=300
Transbaikal Standard Time
Turkey Standard Time
Turks And Caicos Standard Time
US Eastern Standard Time=040
US Mountain Standard Time=015
UTC
UTC+12
UTC+13
UTC-02
UTC-08
UTC-09
UTC-11
Ulaanbaatar Standard Time
Venezuela Standard Time
Vladivostok Standard Time=270
Volgograd Standard Time
W. Australia Standard Time=225
W. Central Africa Standard Time=113
W. Europe Standard Time=110
W. Mongolia Standard Time
West Asia Standard Time=185
West Bank Standard Time
West Pacific Standard Time=275
Yakutsk Standard Time=240
Yukon Standard Time
`
